#include "cli/completion.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "packice/peers/eviction_spec.h"

namespace packice::cli {
namespace {

// $COMMANDS and $CASES are filled in. Ids may hold colons, which end words in bash.
constexpr char kScript[] = R"(# bash completion for packice, written by `packice completion bash`
_packice() {
  local cur prev words cword
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n =: cur prev words cword
  else
    words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    cur=${words[cword]} prev=${words[cword-1]}
  fi
  local command= target=() i
  for ((i = 1; i < cword; i++)); do
    case ${words[i]} in
      --target) target=(--target "${words[i+1]}") ;;
      -*) ;;
      *) [[ -z $command ]] && command=${words[i]} ;;
    esac
  done
  local flags= ids= choices=
  case $command in
    '') choices='$COMMANDS' ;;
$CASES  esac
  if [[ $prev == -* ]]; then
    case "$command $prev" in
$VALUES      *' -o' | *' --output' | *' --socket' | *-file | *' --data' | *tls-cert | *tls-key | *tls-ca | *' --origin-ca' | *' --gossip-seeds') mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
      *' --prefix') ids=1 ;;
    esac
  fi
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif [[ -n $ids ]]; then
    # Not through compgen -W, which would run what an id says in $( ).
    mapfile -t COMPREPLY < <(packice ls --ids --limit 500 "${target[@]}" -- "$cur" 2>/dev/null)
    for i in "${!COMPREPLY[@]}"; do printf -v "COMPREPLY[i]" %q "${COMPREPLY[i]}"; done
  elif [[ $command == put ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    return
  else
    COMPREPLY=($(compgen -W "$choices" -- "$cur"))
  fi
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -F _packice packice
)";

bool TakesIds(const std::string& command) {
  return command == "get" || command == "stat" || command == "rm" || command == "ls" ||
         command == "mv" || command == "history" || command == "locate" || command == "peers" ||
         command == "prefetch";
}

std::string FlagsOf(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return absl::StrJoin(flags, " ");
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::vector<std::string> commands;
  std::string cases;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string& name = command->get_name();
    commands.push_back(name);
    absl::StrAppend(&cases, "    ", name, ") flags='", FlagsOf(*command), "'",
                    TakesIds(name) ? " ids=1" : "", name == "completion" ? " choices=bash" : "",
                    " ;;\n");
  }
  const std::string values =
      "      'serve --impl') COMPREPLY=($(compgen -W 'mem fs tiered' -- \"$cur\")); return ;;\n"
      "      'serve --transport') COMPREPLY=($(compgen -W 'uds http' -- \"$cur\")); return ;;\n"
      "      'serve --eviction') COMPREPLY=($(compgen -W '$POLICIES' -- \"$cur\")); return ;;\n"
      "      'serve --hot') COMPREPLY=($(compgen -W 'mem fs' -- \"$cur\")); return ;;\n"
      "      'serve --write-policy') COMPREPLY=($(compgen -W 'back through' -- \"$cur\")); return "
      ";;\n";
  const std::string policies = absl::StrJoin(
      EvictionKinds(), " ",
      [](std::string* out, EvictionKind kind) { absl::StrAppend(out, EvictionKindName(kind)); });
  return absl::StrReplaceAll(kScript,
                             {{"$COMMANDS", absl::StrJoin(commands, " ")},
                              {"$CASES", cases},
                              {"$VALUES", absl::StrReplaceAll(values, {{"$POLICIES", policies}})}});
}

}  // namespace packice::cli
