// A node's events as log lines.
#pragma once

#include "packice/core/event_sink.h"

namespace packice::cli {

// Logs each event at verbosity 1, through glog. Thread-safe.
class EventLog final : public EventSink {
 public:
  void Publish(const Event& event) override;
};

}  // namespace packice::cli
