// A node's events as log lines.
#pragma once

#include "packice/core/event_sink.h"

namespace packice::cli {

// Logs each event but reads at verbosity 1, through glog, and passes it on. Thread-safe. `next`
// outlives it.
class EventLog final : public EventSink {
 public:
  explicit EventLog(EventSink& next) : next_(next) {}

  void Publish(const Event& event) override;
  bool WantsReads() const override { return next_.WantsReads(); }

 private:
  EventSink& next_;
};

}  // namespace packice::cli
