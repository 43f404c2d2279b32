# Days of each attention on each task, one run, and of its 15 runs, from what `lra run skyformer --dry-run` printed:
#   awk -f days.awk small.txt
/3 seeds/ {
  run = $1; sub(/-s0-.*/, "", run)
  task = run; sub(/-.*/, "", task)
  name = run; sub(/^[^-]*-/, "", name)
  sub(/.*f32: /, "")
  days = $2 == "days" ? $1 : $2 == "h" ? $1 / 24 + $3 / 1440 : $1 / 1440
  if (!(name in total)) names[++n] = name
  of[name, task] = days
  total[name] += 3 * days
  all[task] += days
  sum += 3 * days
  if (days > longest[name]) longest[name] = days
}
END {
  m = split("listops text retrieval image pathfinder", tasks, " ")
  for (i = 1; i <= n; ++i) {
    row = "| " names[i] " |"
    for (k = 1; k <= m; ++k) row = row sprintf(" %.1f |", of[names[i], tasks[k]])
    printf "%s %.0f |\n", row, total[names[i]]
    if (longest[names[i]] > most) most = longest[names[i]]
  }
  row = "| all ten |"
  for (k = 1; k <= m; ++k) row = row sprintf(" %.1f |", all[tasks[k]])
  printf "%s %.0f |\n\n", row, sum
  three = total["softmax"] + total["linear_transformer"] + total["cosformer"]
  printf "| a laptop with 8 cores | %.0f days | %.0f days |\n", sum / 4, three / 4
  printf "| a workstation with 32 cores | %.0f days | %.0f days |\n", sum / 16, three / 16
  printf "| a cluster, `--on slurm`, two cores a run | %.0f days, the longest run | %.0f days, the longest run |\n", most, longest["softmax"]
}
