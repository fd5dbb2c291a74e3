// The JSON form of events, in answers and as lines of a stream.
#pragma once

#include <string>
#include <vector>

#include "codec_fields.h"
#include "packice/core/event_ring.h"

namespace packice::json {

// Appends an object. What an event does not say is left out.
void AppendEvent(const EventRecord& event, std::string& out);

// The member of the kinds that differ from the default, with its comma in front.
void AppendKinds(EventKinds kinds, std::string& out);

// Of a request. Kinds that are left out, or none, are the default.
EventsRequest ReadEventsRequest(Fields& fields);

// Of an answer. Events of a kind that is not known here, a newer node's, are left out.
EventPage ReadEventPage(Fields& fields);

}  // namespace packice::json
