#include "cli/app_commands.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "cli/text.h"

namespace packice::cli {

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

  auto [history, history_args] = Add<HistoryArgs>(
      app, run, "history", "Tell about the versions that led to an object", &History,
      R"(Versions are linked by their metadata: each names the object that it replaces as
prev_objid. The newest comes first. Where the chain leads to an object that the
node does not have, or back to one that was listed, that is told at the end.

Examples:
  packice put b.bin --id model/2 --meta '{"prev_objid":"model/1"}'
  packice history model/2)");
  history->add_option("id", history_args->id, "The object")->required();
  history->add_option("--limit", history_args->limit, "Stop after so many")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1000000}))
      ->capture_default_str();
  AddTarget(*history, history_args->target);
  AddJson(*history, history_args->json);
}

void AddMv(CLI::App& app, Run& run) {
  auto [command, args] = Add<MvArgs>(
      app, run, "mv", "Give an object another id", &Mv,
      R"(The bytes do not move. Nobody may hold a lease on the object, and the new id must
be free.

Example:
  packice mv models/new models/current)");
  command->add_option("id", args->id, "The object")->required();
  command->add_option("to", args->to, "Its new id")->required();
  AddTarget(*command, args->target);
}

void AddCp(CLI::App& app, Run& run) {
  auto [command, args] = Add<CpArgs>(
      app, run, "cp", "Copy an object from one node to another", &Cp,
      R"(Prints the id of the copy, which has the bytes, the metadata and what is left of
the life of the original. The other node shows it only when it is whole.

Examples:
  packice cp --from unix:/run/packice.sock --to http://10.0.0.7:8080 models/a
  packice cp --from /tmp/packice.sock --to /tmp/packice.sock models/a --as models/b)");
  command->add_option("id", args->id, "The object")->required();
  AddTarget(*command, args->from, "from");
  AddTarget(*command, args->to, "to");
  command->add_option("--as", args->as, "The id of the copy; by default the same");
  AddJson(*command, args->json);
}

void AddFsck(CLI::App& app, Run& run) {
  auto [command, args] = Add<FsckArgs>(
      app, run, "fsck", "Check a node's data directory", &Fsck,
      R"(No node may be running on the directory. Reads every byte. Exits with 0 when all
is well and with 7 when damage was found, repaired or not. --repair sets what is
damaged or unknown aside, in DIR/quarantine; it deletes nothing that may be
somebody's data.

Examples:
  packice fsck --data /var/lib/packice
  packice fsck --data /var/lib/packice --repair --json)");
  AddData(*command, args->data);
  command->add_flag("--repair", args->repair, "Set aside what is damaged");
  AddJson(*command, args->json);
}

void AddRm(CLI::App& app, Run& run) {
  auto [command, args] =
      Add<RmArgs>(app, run, "rm", "Take objects away", &Rm,
                  R"(Who reads an object keeps its bytes. Goes on after a failure; the exit code is
then that of the last one.

In a swarm only the node's own copy goes; with --everywhere every holder that the
node knows of is asked to let go of the object.

Examples:
  packice rm models/a models/b
  packice rm --prefix run-17/
  packice rm --everywhere models/a)");
  command->add_option("ids", args->ids, "The objects");
  command->add_option("--prefix", args->prefix, "All objects whose ids start so");
  command->add_flag("--everywhere", args->everywhere, "At every node of the swarm");
  AddTarget(*command, args->target);
  AddJson(*command, args->json);
}

void AddBench(CLI::App& app, Run& run) {
  auto [command, args] = Add<BenchArgs>(
      app, run, "bench", "Measure a node", &Bench,
      R"(Each client is a thread with a connection of its own. A get acquires, maps and
releases; a put creates, writes, seals and releases. Rates count the time within
these calls; latencies are of one call, that is of a whole batch. A put into a
durable node is on disk when it is answered, so that its rate is that of durable
seals. The objects are named bench/PID/ and are taken away at the end.

Examples:
  packice bench --sizes 4KiB,1MiB,64MiB --clients 4
  packice bench --read-share 0.9 --duration 10 --json
  packice bench --target "" --sizes 4KiB --batch 32
  packice bench --target http://127.0.0.1:8080 --read-share 0 --sizes 4KiB \
    --clients 1,32 --objects 50000)");
  args->sizes = {4096, 1048576};
  AddSizes(*command, "--sizes", args->sizes, "Of the objects [4KiB,1MiB]");
  command->add_option("--clients", args->clients, "Threads; of several numbers, one after another")
      ->check(CLI::Range(1, 1024))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("N,...")
      ->default_str("1");
  command
      ->add_option("--objects", args->objects,
                   "Of each client: what gets choose from, and what puts write before they take "
                   "their oldest away; by default up to 256")
      ->check(CLI::Range(uint64_t{1}, uint64_t{10000000}));
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
  AddMicroseconds(*command, "--spin", args->target.spin,
                  "Of a Unix socket: how long a client keeps its core busy looking for an answer, "
                  "before it sleeps [0]");
  AddTarget(*command, args->target);
  AddJson(*command, args->json);
}

void AddSimulate(CLI::App& app, Run& run) {
  auto [command, args] = Add<SimulateArgs>(
      app, run, "simulate", "Tell what a cache would have done with a request trace", &Simulate,
      R"(Runs the eviction policies that a node runs over the requests of a trace, for each
policy at each capacity, and tells which part of the requests and of the bytes
missed. A trace has lines of the form time,obj_id,size and may be compressed by
gzip; an object keeps the size of its first request. An object larger than the
capacity is a miss and is not kept.

Without --trace the requests are made: --synthetic zipf,objects=N,requests=N,
alpha=A,seed=N,size=SIZE, or size=SIZE-SIZE for sizes in between; what is left out
is as in zipf,objects=100000,requests=1000000,alpha=0.8,seed=1,size=4KiB.

Examples:
  packice simulate --trace day.csv.gz --capacity 4GiB
  packice simulate --trace day.csv.gz --policy s3fifo --policy lru \
    --policy s3fifo,promote=1 --capacity 1% --capacity 10% --json
  packice simulate --trace - --capacity 0.1 --lease-requests 100 < day.csv
  packice simulate --synthetic zipf,objects=1000000,size=1KiB-1MiB --capacity 10%)");
  CLI::Option* const trace =
      command->add_option("--trace", args->trace, "A file, or - for stdin")->type_name("FILE");
  CLI::Option* const synthetic =
      command->add_option("--synthetic", args->synthetic, "Requests that are made")
          ->type_name("zipf,KEY=VALUE,...");
  trace->excludes(synthetic);
  command
      ->add_option("--policy", args->policies,
                   "As `packice serve --eviction`; several, by as many flags [s3fifo]")
      ->allow_extra_args(false)
      ->type_name("NAME,KEY=VALUE,...");
  command
      ->add_option("--capacity", args->capacities,
                   "Bytes, or a part of the bytes of all objects: 10% or 0.1; several, by as many "
                   "flags")
      ->allow_extra_args(false)
      ->required()
      ->type_name("SIZE|PART");
  command
      ->add_option("--lease-requests", args->lease_requests,
                   "Each object is leased for so many requests after its own")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 32))
      ->capture_default_str();
  command->add_flag("--ignore-sizes", args->ignore_sizes,
                    "Every object counts for one, and the capacity is a number of objects");
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
