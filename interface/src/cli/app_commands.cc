#include "cli/app_commands.h"

#include <cmath>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/session.h"
#include "cli/text.h"
#include "packice/core/error.h"
#include "packice/core/metadata.h"

namespace packice::cli {
namespace {

// A command with arguments of type Args, which live as long as what `run` holds.
template <typename Args>
struct Command {
  CLI::App* app;
  std::shared_ptr<Args> args;
};

template <typename Args>
Command<Args> Add(CLI::App& app, Run& run, const std::string& name, const std::string& what,
                  absl::Status (*command)(const Args&), const std::string& footer) {
  CLI::App* const added = app.add_subcommand(name, what);
  added->footer(footer);
  auto args = std::make_shared<Args>();
  added->callback([&run, args, command] { run = [args, command] { return command(*args); }; });
  return {added, std::move(args)};
}

void AddTarget(CLI::App& app, std::string& target) {
  target = absl::StrCat("unix:", DefaultSocket());
  app.add_option("--target", target, "The node")->envname("PACKICE_TARGET")->capture_default_str();
}

void AddJson(CLI::App& app, bool& json) {
  app.add_flag("--json", json, "Print JSON, as the node's protocol has it");
}

template <typename Size>
CLI::Option* AddSize(CLI::App& app, const std::string& name, Size& size, const std::string& what) {
  return app
      .add_option_function<std::string>(
          name,
          [&size, name](const std::string& text) {
            const absl::StatusOr<uint64_t> parsed = ParseSize(text);
            if (!parsed.ok())
              throw CLI::ValidationError(name, std::string(parsed.status().message()));
            size = *parsed;
          },
          what)
      ->type_name("SIZE");
}

template <typename Duration>
CLI::Option* AddSeconds(CLI::App& app, const std::string& name, Duration& duration, bool zero,
                        const std::string& what) {
  return app
      .add_option_function<double>(
          name,
          [&duration, name, zero](double seconds) {
            const bool fits = zero ? seconds >= 0 : seconds > 0;
            if (!fits || !std::isfinite(seconds)) {
              throw CLI::ValidationError(name, "wants a number of seconds over 0");
            }
            duration = absl::Seconds(seconds);
          },
          what)
      ->type_name("SECONDS");
}

// Takes `known`; what else the protocol has names for is `unsupported`, and the rest is wrong.
CLI::Validator OneOf(const std::string& name, std::vector<std::string> known,
                     std::vector<std::string> elsewhere) {
  const std::string list = absl::StrJoin(known, ", ");
  return CLI::Validator(
      [=](std::string& value) -> std::string {
        if (std::count(known.begin(), known.end(), value) > 0) return "";
        if (std::count(elsewhere.begin(), elsewhere.end(), value) == 0) {
          return absl::StrCat("\"", Printable(value), "\" is unknown; there is: ", list);
        }
        // No ValidationError: CLI11 would make another one of it, with an exit code of its own.
        throw CLI::ParseError(
            absl::StrCat(name, " ", value, ": this build does not have it; it has: ", list),
            InfoOf(ErrorKind::kUnsupported).exit_code);
      },
      absl::StrCat("{", absl::StrJoin(known, ","), "}"));
}

}  // namespace

void AddServe(CLI::App& app, Run& run) {
  auto [command, args] = Add<ServeArgs>(
      app, run, "serve", "Run a node", &Serve,
      R"(When ready, one line with the address goes to stdout. SIGTERM and SIGINT drain
and end the node; a second one ends it at once. The log goes to stderr.

Example:
  packice serve --impl mem --transport uds --socket /run/packice.sock --capacity 8GiB)");
  command->add_option("--impl", args->impl, "Where objects are kept")
      ->check(OneOf("--impl", {"mem"}, {"fs", "tiered"}))
      ->capture_default_str();
  command->add_option("--transport", args->transports, "How the node is reached")
      ->check(OneOf("--transport", {"uds"}, {"http"}))
      ->allow_extra_args(false)
      ->capture_default_str();
  args->socket = DefaultSocket();
  command->add_option("--socket", args->socket, "The Unix socket")
      ->envname("PACKICE_SOCKET")
      ->capture_default_str();
  AddSize(*command, "--capacity", args->capacity,
          "Bytes of all objects; by default half of the memory that this process may use");
  static const std::string lru = "lru";
  command->add_option("--eviction", "Which object goes first when room is needed [lru]")
      ->check(OneOf("--eviction", {lru}, {"s3fifo", "sieve", "gdsf", "fifo"}));
  command->add_option("--threads", args->threads, "Threads that serve connections")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--max-connections", args->max_connections, "Further ones are refused")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  AddSeconds(*command, "--grace", args->grace, true, "How long draining may take [10]");
  command->add_option("-v,--verbosity", args->verbosity, "1: log every object's events")
      ->capture_default_str();
}

void AddPut(CLI::App& app, Run& run) {
  auto [command, args] =
      Add<PutArgs>(app, run, "put", "Put a file, a directory or stdin", &Put,
                   R"(Prints the id of each object. Of a directory every regular file becomes an
object, named by --prefix and its path below the directory; a symbolic link to a
file stands for that file, links to directories are not followed, and anything
else is left out. Several are in flight at once; the first failure ends it, and
what was put by then stays.

Examples:
  packice put weights.bin --id models/a/weights.bin --meta '{"step":100}'
  tar c src | packice put - --ttl 3600
  packice put checkpoints/ --prefix run-17/)");
  command->add_option("source", args->source, "A file, a directory, or - for stdin")->required();
  command->add_option("--id", args->id, "The object's id; by default the node makes one");
  command->add_option("--prefix", args->prefix, "Put before the names of a directory's files");
  command->add_option("--meta", args->meta, "Metadata: a JSON object");
  AddSeconds(*command, "--ttl", args->ttl, false, "The object is gone after so long");
  AddTarget(*command, args->target);
  AddJson(*command, args->json);
}

void AddGet(CLI::App& app, Run& run) {
  auto [command, args] = Add<GetArgs>(
      app, run, "get", "Get an object, or all under a prefix", &Get,
      R"(A file is written beside its place and renamed into it, so that no half file is
ever seen. With --prefix every sealed object whose id starts with it becomes a
file below DIR, named by the rest of its id; ids that would lead out of DIR are
refused.

Examples:
  packice get models/a/weights.bin -o weights.bin
  packice get logs/today | less
  packice get --prefix models/a/ -o models/)");
  command->add_option("id", args->id, "The object");
  command->add_option("--prefix", args->prefix, "All objects whose ids start so");
  command->add_option("-o,--output", args->output, "A file, a directory, or - for stdout")
      ->capture_default_str();
  AddSeconds(*command, "--wait", args->wait, true, "How long to wait for an unsealed object [0]");
  AddTarget(*command, args->target);
}

void AddInspection(CLI::App& app, Run& run) {
  auto [stat, stat_args] = Add<StatArgs>(app, run, "stat", "Tell about an object", &Stat,
                                         "Example:\n  packice stat models/a --json");
  stat->add_option("id", stat_args->id, "The object")->required();
  AddTarget(*stat, stat_args->target);
  AddJson(*stat, stat_args->json);

  auto [ls, ls_args] = Add<LsArgs>(app, run, "ls", "List objects, in the order of their ids", &Ls,
                                   "Examples:\n  packice ls models/\n  packice ls --ids | wc -l");
  ls->add_option("prefix", ls_args->prefix, "Only ids that start so");
  ls->add_flag("--ids", ls_args->ids_only, "Print the ids alone");
  ls->add_option("--limit", ls_args->limit, "Stop after so many");
  AddTarget(*ls, ls_args->target);
  AddJson(*ls, ls_args->json);

  auto [stats, stats_args] = Add<StatsArgs>(app, run, "stats", "Tell about the node", &Stats,
                                            "Example:\n  packice stats --json");
  AddTarget(*stats, stats_args->target);
  AddJson(*stats, stats_args->json);
}

void AddRm(CLI::App& app, Run& run) {
  auto [command, args] =
      Add<RmArgs>(app, run, "rm", "Take objects away", &Rm,
                  R"(Who reads an object keeps its bytes. Goes on after a failure; the exit code is
then that of the last one.

Examples:
  packice rm models/a models/b
  packice rm --prefix run-17/)");
  command->add_option("ids", args->ids, "The objects");
  command->add_option("--prefix", args->prefix, "All objects whose ids start so");
  AddTarget(*command, args->target);
  AddJson(*command, args->json);
}

void AddBench(CLI::App& app, Run& run) {
  auto [command, args] = Add<BenchArgs>(
      app, run, "bench", "Measure a node", &Bench,
      R"(Each client is a thread with a connection of its own. A get acquires, maps and
releases; a put creates, writes, seals and releases. Rates count the time within
these calls; latencies are of one call, that is of a whole batch. The objects
are named bench/PID/ and are taken away at the end.

Examples:
  packice bench --sizes 4KiB,1MiB,64MiB --clients 4
  packice bench --read-share 0.9 --duration 10 --json
  packice bench --target "" --sizes 4KiB --batch 32)");
  args->sizes = {4096, 1048576};
  command
      ->add_option_function<std::vector<std::string>>(
          "--sizes",
          [args = args](const std::vector<std::string>& texts) {
            args->sizes.clear();
            for (const std::string& text : texts) {
              const absl::StatusOr<uint64_t> size = ParseSize(text);
              if (!size.ok()) {
                throw CLI::ValidationError("--sizes", std::string(size.status().message()));
              }
              args->sizes.push_back(*size);
            }
          },
          "Of the objects [4KiB,1MiB]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("SIZE,...");
  command->add_option("--clients", args->clients, "Threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--batch", args->batch, "Objects in one get")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command
      ->add_option("--read-share", args->read_share,
                   "Gets among the operations; by default all are gets, then all are puts")
      ->check(CLI::Range(0.0, 1.0));
  AddSeconds(*command, "--duration", args->duration, false, "Of each measurement [3]");
  AddSeconds(*command, "--warmup", args->warmup, true, "Before each measurement [0.5]");
  command->add_flag("--copy", args->copy, "A get also copies all bytes out of the object");
  AddTarget(*command, args->target);
  AddJson(*command, args->json);
}

void AddVersion(CLI::App& app, Run& run) {
  CLI::App* const command = app.add_subcommand("version", "Tell the version of this program");
  auto json = std::make_shared<bool>(false);
  AddJson(*command, *json);
  command->callback([&run, json] { run = [json] { return Version(*json); }; });
}

void AddCompletion(CLI::App& app, Run& run) {
  CLI::App* const command = app.add_subcommand("completion", "Print a shell's completion script");
  command->footer("Example:\n  source <(packice completion bash)");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "The shell")
      ->required()
      ->check(OneOf("completion", {"bash"}, {"zsh", "fish"}));
  command->callback(
      [&run, &app, shell] { run = [&app, shell] { return Print(BashCompletion(app)); }; });
}

}  // namespace packice::cli
