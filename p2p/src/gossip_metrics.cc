// The figures of a member as Prometheus reads them.
#include <map>

#include "absl/strings/str_cat.h"
#include "gossip_member.h"

namespace packice {
namespace {

// A value keeps all its digits.
void Append(std::string& text, absl::string_view name, absl::string_view type,
            absl::string_view help, const absl::AlphaNum& value) {
  absl::StrAppend(&text, "# HELP packice_gossip_", name, " ", help, "\n# TYPE packice_gossip_",
                  name, " ", type, "\npackice_gossip_", name, " ", value, "\n");
}

}  // namespace

std::string GossipMember::MetricsText() const {
  const GossipCounters counters = this->counters();
  const GossipDirectory::Figures figures = directory_->figures();
  std::map<absl::string_view, int> states;
  for (MemberState state :
       {MemberState::kAlive, MemberState::kSuspect, MemberState::kDead, MemberState::kLeft}) {
    states[MemberStateName(state)] = 0;
  }
  for (const Member& member : Members()) ++states[MemberStateName(member.state)];

  std::string text =
      "# HELP packice_gossip_members Members that this one knows of, itself among them.\n"
      "# TYPE packice_gossip_members gauge\n";
  for (const auto& [state, count] : states) {
    absl::StrAppend(&text, "packice_gossip_members{state=\"", state, "\"} ", count, "\n");
  }
  const auto counter = [&](absl::string_view name, absl::string_view help, uint64_t value) {
    Append(text, name, "counter", help, value);
  };
  const auto gauge = [&](absl::string_view name, absl::string_view help,
                         const absl::AlphaNum& value) { Append(text, name, "gauge", help, value); };
  counter("sent_bytes_total", "Bytes of envelopes sent.", counters.sent_bytes);
  counter("received_bytes_total", "Bytes of envelopes received.", counters.received_bytes);
  counter("probes_total", "Members that were asked whether they are there.", counters.probes);
  counter("failed_probes_total", "Of these, without an answer.", counters.failed_probes);
  counter("suspicions_total", "Members that began to be suspected.", counters.suspicions);
  counter("refutations_total", "Times that this member said that it lives.", counters.refutations);
  gauge("health", "Local health multiplier: 0 is well, 7 is worst.", counters.health);
  counter("hints_total", "Members asked for an object because they might hold it.", counters.hints);
  counter("false_hints_total", "Of these, held it not.", counters.false_hints);
  counter("pulled_bytes_total", "Bytes of filters pulled from members.", figures.pulled_bytes);
  gauge("objects", "Objects that this node tells of.", figures.objects);
  gauge("filter_bytes", "Size of the own filter.", figures.filter_bytes);
  gauge("member_filter_bytes", "Size of the filters of others here.", figures.member_filter_bytes);
  gauge("filter_false_positive_rate", "How often the own filter says yes for nothing.",
        figures.false_positive_rate);
  return text;
}

}  // namespace packice
