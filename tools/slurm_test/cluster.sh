# shellcheck shell=bash
# A Slurm of this machine alone: munged, slurmctld and slurmd on loopback with free ports, everything in
# one folder, so that neither another munged nor another Slurm is disturbed. Needs root and the Debian
# packages munge, slurmctld, slurmd and slurm-client (Debian 12 and 13); no systemd, no cgroups.
# Sourced: start_cluster FOLDER [NODES] · stop_cluster. Exports SLURM_CONF for sbatch and squeue.

# shellcheck disable=SC2034  # of the script that sources this
cluster_commands=(munged slurmctld slurmd sbatch squeue scontrol sinfo)

# free_ports COUNT: ports of this machine on which nothing listens now.
free_ports() {
  local port=$((20000 + RANDOM % 20000)) found=0 used
  used=$(awk 'FNR > 1 && $4 == "0A" { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 \
           2>/dev/null || true)
  while [ "$found" -lt "$1" ]; do
    port=$((port + 1))
    if ! grep -qix "$(printf '%04X' "$port")" <<<"$used"; then
      echo "$port"
      found=$((found + 1))
    fi
  done
}

# start_cluster FOLDER [NODES [CPUS]]: NODES nodes n1, n2, ... of CPUS CPUs each (default: one node of
# two). Returns 1, with the daemons' logs on stderr, when they are not up within 40 s.
start_cluster() {
  cluster=$1
  local nodes=${2-1} cpus=${3-2} i ports host
  host=$(hostname)
  mkdir -p "$cluster"/{munge,state}
  chmod 711 "$cluster" "$cluster/munge"
  mapfile -t ports < <(free_ports $((nodes + 1)))
  head -c 1024 /dev/urandom >"$cluster/munge/key"
  chmod 400 "$cluster/munge/key"
  {
    cat <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool-%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=1,bf_interval=2,defer_batch
MpiDefault=none
ReturnToService=2
MaxArraySize=10001
KillWait=20
CONF
    for ((i = 1; i <= nodes; i++)); do
      echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[i]} CPUs=$cpus" \
           "RealMemory=4000 Feature=here State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO"
  } >"$cluster/slurm.conf"
  # Without cgroups: Debian 13's Slurm knows a plugin for that, Debian 12's (22.05) needs a place
  # that it does not use.
  case "$(slurmctld -V)" in
    "slurm-wlm 22."* | "slurm 22."*)
      printf '%s\n' CgroupPlugin=cgroup/v1 CgroupAutomount=no "CgroupMountpoint=$cluster/no-cgroups" \
             ConstrainCores=no ConstrainRAMSpace=no ;;
    *) echo CgroupPlugin=disabled ;;
  esac >"$cluster/cgroup.conf"
  export SLURM_CONF=$cluster/slurm.conf
  # --force: a folder above that not every user may enter is no fault here.
  timeout 20 munged --force --socket="$cluster/munge/socket" --key-file="$cluster/munge/key" \
    --pid-file="$cluster/munge/pid" --log-file="$cluster/munge/log" --seed-file="$cluster/munge/seed" \
    2>"$cluster/munge/started" || cluster_fault "munged does not start" || return 1
  timeout 20 slurmctld -f "$SLURM_CONF" || cluster_fault "slurmctld does not start" || return 1
  for ((i = 1; i <= nodes; i++)); do
    mkdir -p "$cluster/spool-n$i"
    timeout 20 slurmd -N "n$i" -f "$SLURM_CONF" || cluster_fault "slurmd does not start" || return 1
  done
  local end=$((SECONDS + 40))
  until [ "$(timeout 5 sinfo -h -N -t idle -o %n 2>/dev/null | wc -l)" -eq "$nodes" ]; do
    [ $SECONDS -lt $end ] || cluster_fault "the nodes are not idle after 40 s" || return 1
    sleep 0.3
  done
}

cluster_fault() {
  echo "slurm: $1" >&2
  tail -n 5 "$cluster"/*.log "$cluster/munge/log" "$cluster/munge/started" >&2 || true
  return 1
}

# Ends what start_cluster has started, by the process ids that it left; waits for their ends.
stop_cluster() {
  [ -n "${cluster-}" ] || return 0
  local file pid i
  for file in "$cluster"/slurmd-*.pid "$cluster/slurmctld.pid" "$cluster/munge/pid"; do
    [ -s "$file" ] || continue
    pid=$(<"$file")
    kill "$pid" 2>/dev/null || continue
    for ((i = 0; i < 50; i++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
  done
  cluster=
}
