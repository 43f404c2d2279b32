# Packs sources into batches that are compiled as one translation unit each (LRA_UNITY): reads the
# sources given, prints `batch|path` for each. Awk of POSIX.
#   awk -v size=N -f batches.awk FILE...
# Two files share a batch unless a name that one of them defines for itself (in an unnamed namespace,
# static, or a macro) is defined or used in the other, or their using-directives or aliases differ. A
# function is used where it is called: locals of its name do no harm. Names are found by the layout
# that .clang-format gives: such definitions begin in the first column.

FNR == 1 {
  files++
  path[files] = FILENAME
  unnamed = 0
}
/^namespace \{/ { unnamed = 1 }
/^\}  \/\/ namespace$/ { unnamed = 0 }
/^using namespace / { directives[files] = directives[files] $0 }
/^using [A-Za-z_0-9]+ =/ {
  aliases[files] = aliases[files] " " $2
  alias[files, $2] = $0
  next
}
/^#define / {
  name = $2
  sub(/\(.*/, "", name)
  define(name)
}
(unnamed && /^[A-Za-z_]/) || /^static / { define(declared($0)) }
{
  line = $0
  gsub(/"([^"\\]|\\.)*"/, "", line)
  sub(/\/\/.*/, "", line)
  gsub(/(\.|->|std::)[A-Za-z_][A-Za-z_0-9]*/, " ", line)
  gsub(/\(/, "( ", line)  # a call is a word with its bracket
  gsub(/[^A-Za-z_0-9(]+/, " ", line)
  count = split(line, words, " ")
  for (i = 1; i <= count; i++) {
    use(words[i])
    if (sub(/\($/, "", words[i])) {
      use(words[i])
    }
  }
}

function use(word) {
  if (!((files, word) in uses)) {
    uses[files, word] = 1
    used[files] = used[files] " " word
  }
}

function define(name) {
  if (name != "" && !((files, name) in defines)) {
    defines[files, name] = 1
    defined[files] = defined[files] " " name
  }
}

# The name that a first line of a declaration introduces; empty for none.
function declared(text) {
  if (text ~ /^(namespace|using|template|typedef|extern|friend|public|private)/ && text !~ /^template.*[({;=]$/) {
    return ""
  }
  if (match(text, /^(struct|class|enum class|enum|union) [A-Za-z_0-9]+/)) {
    text = substr(text, 1, RLENGTH) ";"
  }
  call = match(text, /[({=;]/) && substr(text, RSTART, 1) == "(" ? "(" : ""
  sub(/[({=;].*/, "", text)
  sub(/\[.*/, "", text)
  sub(/ +$/, "", text)
  if (!match(text, /[A-Za-z_0-9]+$/)) {
    return ""
  }
  name = substr(text, RSTART)
  # A member's definition, or a macro that registers something.
  if (substr(text, RSTART - 1, 1) == ":" || name ~ /^[A-Z0-9_]+$/ && text == name) {
    return ""
  }
  return name call
}

function fits(file, batch,    count, names, i) {
  if (members[batch] >= size || directives[file] != batch_directives[batch]) {
    return 0
  }
  count = split(defined[file], names, " ")
  for (i = 1; i <= count; i++) {
    if ((batch, names[i]) in batch_uses) {
      return 0
    }
  }
  count = split(used[file], names, " ")
  for (i = 1; i <= count; i++) {
    if ((batch, names[i]) in batch_defines) {
      return 0
    }
  }
  count = split(aliases[file], names, " ")
  for (i = 1; i <= count; i++) {
    if ((batch, names[i]) in batch_alias && batch_alias[batch, names[i]] != alias[file, names[i]]) {
      return 0
    }
  }
  return 1
}

function put(file, batch,    count, names, i) {
  members[batch]++
  batch_directives[batch] = directives[file]
  count = split(defined[file], names, " ")
  for (i = 1; i <= count; i++) batch_defines[batch, names[i]] = 1
  count = split(used[file], names, " ")
  for (i = 1; i <= count; i++) batch_uses[batch, names[i]] = 1
  count = split(aliases[file], names, " ")
  for (i = 1; i <= count; i++) batch_alias[batch, names[i]] = alias[file, names[i]]
  print batch "|" path[file]
}

END {
  for (file = 1; file <= files; file++) {
    for (batch = 1; batch <= batches; batch++) {
      if (fits(file, batch)) {
        break
      }
    }
    if (batch > batches) {
      batches = batch
      members[batch] = 0
      batch_directives[batch] = directives[file]
    }
    put(file, batch)
  }
}
