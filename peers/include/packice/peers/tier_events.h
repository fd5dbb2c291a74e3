// Marks the events of a peer with the tier that it is.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "packice/core/event_sink.h"

namespace packice {

// Owned by whoever puts tiers together; outlives the peer that publishes to it, and is outlived by
// `sink`. Thread-safe if `sink` is.
class TierEvents final : public EventSink {
 public:
  // An event without a tier is one of `name`, an event of "hot" one of "name/hot".
  TierEvents(absl::string_view name, EventSink& sink) : name_(name), sink_(sink) {}

  void Publish(const Event& event) override {
    Event named = event;
    if (event.tier.empty()) {
      named.tier = name_;
      return sink_.Publish(named);
    }
    const std::string path = absl::StrCat(name_, "/", event.tier);
    named.tier = path;
    sink_.Publish(named);
  }
  bool WantsReads() const override { return sink_.WantsReads(); }

 private:
  const std::string name_;
  EventSink& sink_;
};

}  // namespace packice
