#include "message_maker.h"

#include "packice/core/error.h"

namespace packice {

AcquireRequest MessageMaker::MakeAcquire() {
  AcquireRequest acquire;
  acquire.access = static_cast<Access>(Below(3));
  if (Coin()) acquire.ttl = Span();
  if (Coin()) acquire.wait = Span();
  acquire.quiet = Coin();
  if (acquire.access != Access::kCreate || Coin()) acquire.object_id = Id();
  if (acquire.access != Access::kCreate) return acquire;
  if (Coin()) {
    acquire.blob_sizes.push_back(Size());
  } else {
    for (uint64_t i = Below(5); i > 0; --i) acquire.blob_sizes.push_back(Below(1 << 30));
  }
  acquire.written_here = Coin();
  acquire.metadata = Meta();
  if (Coin()) acquire.object_ttl = Span();
  return acquire;
}

PutMessage MessageMaker::MakePut() {
  PutMessage message;
  if (Coin()) message.put.object_id = Id();
  for (uint64_t i = Below(4); i > 0; --i) message.put.blob_sizes.push_back(Below(1 << 30));
  message.put.metadata = Meta();
  if (Coin()) message.put.object_ttl = Span();
  if (Coin()) message.put.wait = Span();
  if (Coin()) {
    message.staged = StagedRange{Size(), Size()};
  } else {
    message.payload = Below(PutMessage::kMaxPayload + 1);
  }
  return message;
}

SealRequest MessageMaker::MakeSeal() {
  SealRequest seal;
  seal.lease_id = Lease();
  if (Coin()) seal.size = Size();
  seal.metadata = Meta();
  if (Coin()) seal.expires_at = When();
  return seal;
}

EventsRequest MessageMaker::MakeEvents() {
  EventsRequest events;
  if (Coin()) events.after = Size();
  if (Coin()) events.limit = Below(EventsRequest::kMaxLimit + 1);
  if (Coin()) events.kinds = EventKinds::None().With(Kind()).With(Kind());
  if (Coin()) events.wait = Span();
  return events;
}

EventPage MessageMaker::MakeEventPage() {
  EventPage page;
  page.next = Size();
  for (uint64_t i = Below(4); i > 0; --i) {
    EventRecord& event = page.events.emplace_back();
    event.sequence = Size();
    event.time = When();
    event.kind = Kind();
    event.tier = Text(0, 20);
    if (Coin()) event.object_id = Id();
    event.size = Size();
    event.operation = OperationId{Size()};
    event.detail = Text(0, 100);
  }
  return page;
}

Request MessageMaker::MakeRequest(Op op) {
  Request request;
  request.op = op;
  request.seq = Seq();
  switch (op) {
    case Op::kHello:
      request.body = HelloRequest{{Text(0, 50), Text(0, 50)}};
      break;
    case Op::kAcquire:
      request.body = MakeAcquire();
      break;
    case Op::kSeal:
      request.body = MakeSeal();
      break;
    case Op::kDiscard:
    case Op::kRelease:
      request.keep_bytes = Coin();
      request.body = LeaseRequest{Lease()};
      break;
    case Op::kRenew:
      request.body = RenewRequest{Lease(), Span()};
      break;
    case Op::kRelocate:
      request.keep_bytes = Coin();
      request.body = RelocateRequest{Lease(), Id()};
      break;
    case Op::kStat:
      request.body = StatRequest{Id()};
      break;
    case Op::kList:
      request.body = ListRequest{Text(0, 90), Text(0, 90), 1 + Below(ListRequest::kMaxLimit)};
      break;
    case Op::kStats:
      break;
    case Op::kIndex:
      request.body = IndexRequest();
      break;
    case Op::kEvents:
      request.body = MakeEvents();
      break;
    case Op::kPut:
      request.body = MakePut();
      break;
    case Op::kStage:
      request.body = StageRequest{Size()};
      break;
    case Op::kWrite:
      request.body = WriteRequest{Lease(), Below(Object::kMaxBlobs), Size(), {Size(), Size()}};
      break;
    case Op::kExtension:
      break;
    case Op::kBatch: {
      auto batch = std::make_unique<BatchRequest>();
      for (uint64_t i = Below(6); i > 0; --i) {
        batch->requests.push_back(
            MakeRequest(static_cast<Op>(Below(static_cast<uint64_t>(Op::kBatch)))));
      }
      request.body = std::move(batch);
      break;
    }
  }
  return request;
}

GrantReply MessageMaker::MakeGrant() {
  GrantReply grant;
  grant.lease_id = Lease();
  grant.object_id = Id();
  grant.access = static_cast<Access>(Below(3));
  grant.state = Coin() ? ObjectState::kSealed : ObjectState::kCreating;
  if (Coin()) grant.ttl = Span();
  grant.metadata = Meta();
  grant.size = Size();
  for (uint64_t i = Below(4); i > 0; --i) {
    switch (Below(5)) {
      case 0:
        grant.handles.push_back(FdHandle{Below(253), Size(), Size()});
        break;
      case 1:
        grant.handles.push_back(
            PathHandle{Text(0, 200), Size(), Size(),
                       Coin() ? absl::optional<size_t>(Below(253)) : absl::nullopt});
        break;
      case 2:
        grant.handles.push_back(SegmentHandle{Size(), Size(), Size()});
        break;
      case 3:
        grant.handles.push_back(SegmentHandle{Size(), Size(), Size(), Below(253), Size()});
        break;
      default:
        grant.handles.push_back(UrlDescriptor{Text(0, 200), Size()});
    }
  }
  for (uint64_t i = Below(3); i > 0; --i) grant.dropped_segments.push_back(Size());
  return grant;
}

TierStats MessageMaker::MakeTier() {
  TierStats tier;
  tier.name = Text(1, 20);
  tier.state = static_cast<TierState>(Below(5));
  tier.reason = Text(0, 20);
  for (uint64_t* count :
       {&tier.objects, &tier.bytes, &tier.hits, &tier.hit_bytes, &tier.misses, &tier.missed_bytes,
        &tier.evictions, &tier.demotions, &tier.demoted_bytes, &tier.promotions,
        &tier.promoted_bytes, &tier.queued, &tier.queued_bytes, &tier.moving, &tier.discards_due}) {
    *count = Size();
  }
  if (Coin()) tier.capacity = Size();
  if (Coin()) tier.coldest_age = Span();
  return tier;
}

StatsReply MessageMaker::MakeStats() {
  StatsReply stats;
  PeerStats& peer = stats.peer;
  for (uint64_t* count :
       {&peer.objects, &peer.creating, &peer.bytes, &peer.hits, &peer.hit_bytes, &peer.misses,
        &peer.evictions, &peer.expired_objects, &peer.quarantined, &peer.expired_leases,
        &peer.waiting, &peer.read_leases, &peer.create_leases, &peer.write_leases,
        &stats.connections, &stats.descriptors, &stats.refused}) {
    *count = Size();
  }
  if (Coin()) peer.capacity = Size();
  if (Coin()) peer.coldest_age = Span();
  for (uint64_t i = Below(4); i > 0; --i) peer.tiers.push_back(MakeTier());
  stats.uptime = Span();
  return stats;
}

Reply MessageMaker::MakeReply(const Request& asked) {
  if (Below(8) == 0) return MakeError(ErrorTable()[Below(ErrorTable().size())].kind, Text(0, 200));
  switch (asked.op) {
    case Op::kIndex:
      return IndexReply{Below(253), Below(253), Size()};
    case Op::kHello:
      return HelloReply{Text(0, 20), 2, {Text(0, 20)}};
    case Op::kAcquire:
      return MakeGrant();
    case Op::kSeal:
      return Sealed{Id(), Size()};
    case Op::kDiscard:
      return DiscardReply();
    case Op::kRelease:
      return ReleaseReply();
    case Op::kRenew:
      return RenewReply{Span()};
    case Op::kRelocate:
      return RelocateReply{Id()};
    case Op::kStat:
      return Info();
    case Op::kList: {
      ListPage page;
      for (uint64_t i = Below(5); i > 0; --i) page.objects.push_back(Info());
      if (Coin()) page.next = Id();
      return page;
    }
    case Op::kStats:
      return MakeStats();
    case Op::kEvents:
      return MakeEventPage();
    case Op::kPut:
      return Sealed{Id(), Size()};
    case Op::kStage:
      return StageReply{Below(253), Size()};
    case Op::kWrite:
      return WriteReply();
    case Op::kExtension:
      return ExtensionReply();
    case Op::kBatch: {
      auto reply = std::make_unique<BatchReply>();
      for (const auto& request : absl::get<std::unique_ptr<BatchRequest>>(asked.body)->requests) {
        reply->responses.push_back(MakeReply(*request));
        reply->seqs.push_back(request->seq);
      }
      return reply;
    }
  }
  return absl::OkStatus();
}

}  // namespace packice
