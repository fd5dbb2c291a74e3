#include <string>

#include "cli/app_commands.h"
#include "cli/commands.h"
#include "cli/flags.h"

namespace packice::cli {

void AddEvents(CLI::App& app, Run& run) {
  auto [events, events_args] = Add<EventsArgs>(
      app, run, "events", "Tell what happens on the node", &Events,
      R"(A line for each event that the node still has, the oldest first: when, what, in
which tier, to which object, its size, the operation that caused it. Kinds:
created, sealed, discarded, abandoned, evicted, expired, relocated, quarantined,
lease_expired, demoted, promoted, tier_degraded, tier_recovered; of a swarm
peer_joined, peer_left, peer_suspected, download_started, download_finished,
download_failed, holder_banned; and read, which is told only where it is asked for by
name. With --follow further ones are shown as
they happen, until the node stops (unavailable) or SIGINT. Events that went
unread are counted on stderr.

Examples:
  packice events
  packice events --follow --kind evicted --kind demoted
  packice events --follow --prefix models/ --json | jq .object_id)");
  events->add_flag("-f,--follow", events_args->follow, "Go on with what happens");
  events->add_option("--after", events_args->after, "Only events behind this sequence number");
  events->add_option("--kind", events_args->kinds, "Only of this kind; may be repeated")
      ->allow_extra_args(false);
  events->add_option("--prefix", events_args->prefix, "Only of ids that start so");
  AddTarget(*events, events_args->target);
  AddJson(*events, events_args->json);

  auto [record, record_args] = Add<RecordArgs>(
      app, run, "record", "Record a node's requests as a trace", &Record,
      R"(Writes a line `time,obj_id,size` for each read that finds its object and for each
object that is sealed, from now on until SIGINT or the end of --duration: what
packice simulate reads. A miss that is filled thus shows once, when it is sealed.
time is in microseconds since 1970. A name that ends in .gz is compressed. Where the
node forgot events before they were read the trace has a gap: retention_gap.

Examples:
  packice record -o trace.csv.gz --duration 3600
  packice simulate --trace trace.csv.gz --policy s3fifo,lru --capacity 4GiB)");
  record->add_option("-o,--output", record_args->output, "A file, or - for stdout")->required();
  AddSeconds(*record, "--duration", record_args->duration, false, "Stop after so long");
  record->add_flag("--allow-gaps", record_args->allow_gaps, "A gap is no failure");
  AddTarget(*record, record_args->target);
}

}  // namespace packice::cli
