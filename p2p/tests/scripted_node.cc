#include "scripted_node.h"

#include <gtest/gtest.h>

#include <numeric>

#include "packice/core/latch.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {

ScriptedNode::ScriptedNode(AsioNetworkOptions options, const std::string& listen)
    : network_(std::move(options)) {
  const absl::StatusOr<std::string> address = network_.Start(listen);
  EXPECT_THAT(address, IsOk());
  if (address.ok()) address_ = *address;
  network_.Attach(*this);
}

void ScriptedNode::Serve(std::shared_ptr<PieceStore> store) {
  on_frame = [this, store](LinkId link, const Frame& frame) {
    if (const auto* open = absl::get_if<OpenFrame>(&frame)) {
      network_.Send(link, OpenedFrame{open->channel, store->manifest()->Encode(), {}, {}});
    } else if (const auto* request = absl::get_if<RequestFrame>(&frame)) {
      for (uint32_t piece : request->pieces) {
        network_.SendPiece(link, request->channel, piece, store);
      }
    }
  };
}

void ScriptedNode::Fetch(std::shared_ptr<PieceStore> store) {
  on_up = [this, store](LinkId link) {
    OpenFrame open;
    open.channel = 1;
    open.object_id = store->object_id();
    open.digest = store->manifest()->Digest();
    network_.Send(link, open);
  };
  on_frame = [this, store](LinkId link, const Frame& frame) {
    if (!absl::holds_alternative<OpenedFrame>(frame)) return;
    RequestFrame request{1, std::vector<uint32_t>(store->manifest()->pieces())};
    std::iota(request.pieces.begin(), request.pieces.end(), 0);
    network_.ReceiveInto(link, 1, store);
    network_.Send(link, request);
  };
}

void ScriptedNode::Run(const std::function<void()>& call) {
  Latch done;
  network_.Post([&] {
    call();
    done.Set();
  });
  done.Wait();
}

LinkId ScriptedNode::Dial(const std::string& address) {
  LinkId link{};
  Run([&] { link = network_.Dial(address); });
  return link;
}

bool ScriptedNode::Await(const std::function<bool(const Told&)>& holds) {
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  MutexLock lock(mutex_);
  while (!holds(told_)) {
    if (absl::Now() >= deadline) return false;
    changed_.WaitFor(mutex_, deadline - absl::Now());
  }
  return true;
}

absl::Status ScriptedNode::AwaitDown() {
  Await([](const Told& told) { return !told.down.empty(); });
  MutexLock lock(mutex_);
  return told_.down.empty() ? absl::OkStatus() : told_.down.front().second;
}

ScriptedNode::Told ScriptedNode::told() const {
  MutexLock lock(mutex_);
  return told_;
}

void ScriptedNode::Note(const std::function<void(Told&)>& change) {
  MutexLock lock(mutex_);
  change(told_);
  changed_.NotifyAll();
}

void ScriptedNode::OnLinkUp(LinkId link) {
  on_up(link);
  Note([&](Told& told) { told.up.push_back(link); });
}
void ScriptedNode::OnAccepted(LinkId link, const std::string& peer) {
  on_accepted(link);
  Note([&](Told& told) { told.accepted.emplace_back(link, peer); });
}
void ScriptedNode::OnLinkDown(LinkId link, const absl::Status& why) {
  Note([&](Told& told) { told.down.emplace_back(link, why); });
}
void ScriptedNode::OnFrame(LinkId link, const Frame& frame) {
  on_frame(link, frame);
  Note([&](Told& told) { told.frames.push_back(frame); });
}
void ScriptedNode::OnPiece(LinkId link, uint32_t channel, uint32_t piece, PieceResult result) {
  on_piece(link, {channel, piece, result});
  Note([&](Told& told) { told.pieces.push_back({channel, piece, result}); });
}
void ScriptedNode::OnPieceSent(LinkId, uint32_t, uint32_t piece) {
  Note([&](Told& told) { told.sent.push_back(piece); });
}
void ScriptedNode::OnPieceBegins(LinkId, uint32_t, uint32_t piece) {
  Note([&](Told& told) { told.begun.push_back(piece); });
}
void ScriptedNode::Tick() {
  next_tick_ = absl::InfiniteDuration();
  Note([](Told& told) { ++told.ticks; });
}

}  // namespace packice
