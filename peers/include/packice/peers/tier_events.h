// The events of one tier of a node, marked with the tier's name on their way to the node's sink. Of
// tiers within a tier the names add up: "cold/hot".
//
// Thread-safe. The sink outlives it, and it outlives the tier's peer.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "packice/core/event_sink.h"

namespace packice {

class TierEvents final : public EventSink {
 public:
  // A read is told by the tier that has the object. `tells_reads` off: this tier tells of none.
  TierEvents(absl::string_view name, EventSink& sink, bool tells_reads = true)
      : name_(name), sink_(sink), tells_reads_(tells_reads) {}

  void Publish(const Event& event) override {
    Event marked = event;
    if (event.tier.empty()) {
      marked.tier = name_;
      return sink_.Publish(marked);
    }
    const std::string nested = absl::StrCat(name_, "/", event.tier);
    marked.tier = nested;
    sink_.Publish(marked);
  }

  bool WantsReads() const override { return tells_reads_ && sink_.WantsReads(); }

 private:
  const std::string name_;
  EventSink& sink_;
  const bool tells_reads_;
};

}  // namespace packice
