// A TransferEngine between fakes that a test drives by hand: a network that writes down what is
// sent, local objects and a directory that answer when the test says so, and a clock that stands
// still.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/recording_event_sink.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/transfer_engine.h"
#include "sim_store.h"

namespace packice {

class FakeNetwork final : public TransferNetwork {
 public:
  struct Sent {
    LinkId link;
    Frame frame;
  };
  struct SentPiece {
    LinkId link;
    uint32_t channel;
    uint32_t piece;
  };

  LinkId Dial(const std::string& address) override {
    dialled.push_back(address);
    return LinkId{dialled.size()};
  }
  void Send(LinkId link, Frame frame) override { sent.push_back({link, std::move(frame)}); }
  void HangUp(LinkId link) override { hung_up.push_back(link); }
  void SendPiece(LinkId link, uint32_t channel, uint32_t piece,
                 std::shared_ptr<PieceStore>) override {
    pieces.push_back({link, channel, piece});
  }
  Instant Heard(LinkId) const override { return heard; }
  void ReceiveInto(LinkId, uint32_t, std::shared_ptr<PieceStore> store) override {
    into = std::move(store);
  }

  // The frames of one kind that were sent on a link, in order.
  template <typename Kind>
  std::vector<Kind> Of(LinkId link) const {
    std::vector<Kind> found;
    for (const Sent& each : sent) {
      if (each.link != link) continue;
      if (const auto* frame = absl::get_if<Kind>(&each.frame)) found.push_back(*frame);
    }
    return found;
  }
  bool HungUp(LinkId link) const {
    return std::find(hung_up.begin(), hung_up.end(), link) != hung_up.end();
  }

  std::vector<std::string> dialled;  // LinkId 1 is the first
  std::vector<Sent> sent;
  std::vector<SentPiece> pieces;
  std::vector<LinkId> hung_up;
  Instant heard = absl::ZeroDuration();  // on any link
  std::shared_ptr<PieceStore> into;
};

class FakeObjects final : public LocalObjects {
 public:
  using Store = absl::StatusOr<std::shared_ptr<PieceStore>>;

  void Borrow(const ObjectId&, Done<Store> done) override { borrows.push_back(std::move(done)); }
  void Create(const ObjectId&, std::shared_ptr<const Manifest>, Done<Store> done) override {
    creates.push_back(std::move(done));
  }
  void Seal(std::shared_ptr<PieceStore>, Done<absl::Status> done) override {
    seals.push_back(std::move(done));
  }
  void Abandon(std::shared_ptr<PieceStore>) override { ++abandoned; }
  void Discard(const ObjectId&, Done<absl::Status> done) override {
    discards.push_back(std::move(done));
  }

  std::deque<Done<Store>> borrows;
  std::deque<Done<Store>> creates;
  std::deque<Done<absl::Status>> seals;
  std::deque<Done<absl::Status>> discards;
  int abandoned = 0;
};

class FakeDirectory final : public Directory {
 public:
  struct Told {
    std::string holder;
    HolderFault fault;
  };

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override {
    requests.push_back(std::move(request));
    locates.push_back(std::move(done));
  }
  void Announce(const Holding& holding) override { announced.push_back(holding); }
  void Withdraw(const ObjectId&) override { ++withdrawn; }
  void Report(const ObjectId&, const std::string& holder, HolderFault fault) override {
    reports.push_back({holder, fault});
  }
  std::unique_ptr<Watch> WatchPrefix(const std::string&, OnChange) override { return nullptr; }
  void List(const std::string&, const std::string&, size_t,
            Done<absl::StatusOr<std::vector<ObjectId>>>) override {}

  std::vector<LocateRequest> requests;
  std::deque<Done<absl::StatusOr<Location>>> locates;  // that wait for an answer
  std::vector<Holding> announced;
  int withdrawn = 0;
  std::vector<Told> reports;
};

class FakeOrigin final : public Origin {
 public:
  void Copy(const ObjectId&, Done<absl::Status> done) override {
    copies.push_back(std::move(done));
  }
  std::deque<Done<absl::Status>> copies;
};

class EngineTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kPieces = 8;

  void SetUp() override {
    manifest_ = MakeManifest(kPieces);
    Start({});
  }

  static std::shared_ptr<const Manifest> MakeManifest(uint32_t pieces, uint64_t bytes = 1 << 20) {
    Manifest manifest;
    manifest.piece_size = bytes;
    manifest.blob_sizes = {bytes * pieces};
    manifest.piece_digests.resize(pieces * DigestBytes(manifest.hash), 'x');
    return std::make_shared<const Manifest>(std::move(manifest));
  }

  void Start(TransferOptions options, Origin* origin = nullptr) {
    options.address = "me";
    engine_ = std::make_unique<TransferEngine>(options, network_, objects_, directory_, origin,
                                               clock_, 1, events_);
  }

  std::shared_ptr<PieceStore> StoreWith(const std::vector<uint32_t>& held) {
    PieceSet set(manifest_->pieces());
    for (uint32_t piece : held) set.Insert(piece);
    return std::make_shared<SimStore>(id_, manifest_, std::move(set), live_stores_);
  }
  std::shared_ptr<PieceStore> WholeStore() {
    return std::make_shared<SimStore>(id_, manifest_, PieceSet::All(manifest_->pieces()),
                                      live_stores_);
  }

  void Fetch(OperationId operation = OperationId{7}, Instant deadline = absl::InfiniteDuration()) {
    FetchRequest request;
    request.object_id = id_;
    request.operation = operation;
    request.deadline = deadline;
    engine_->Fetch(request, [this](absl::Status status) { results_.push_back(status); });
  }

  // The oldest question to the directory is answered.
  void AnswerLocate(absl::StatusOr<Location> location) {
    ASSERT_FALSE(directory_.locates.empty());
    auto done = std::move(directory_.locates.front());
    directory_.locates.pop_front();
    std::move(done)(std::move(location));
  }
  Location HeldBy(const std::vector<std::string>& holders) {
    Location location;
    location.digest = manifest_->Digest();
    location.size = manifest_->size();
    location.pieces = manifest_->pieces();
    for (const std::string& address : holders) {
      Holder holder;
      holder.address = address;
      location.holders.push_back(holder);
    }
    return location;
  }

  // The link to a holder, as the engine dialled it last.
  LinkId LinkTo(const std::string& holder) const {
    for (size_t i = network_.dialled.size(); i > 0; --i) {
      if (network_.dialled[i - 1] == holder) return LinkId{i};
    }
    ADD_FAILURE() << holder << " was not dialled";
    return LinkId{0};
  }
  OpenFrame LastOpen(LinkId link) const {
    const std::vector<OpenFrame> opens = network_.Of<OpenFrame>(link);
    if (opens.empty()) ADD_FAILURE() << "no OPEN on that link";
    return opens.empty() ? OpenFrame() : opens.back();
  }
  void AnswerOpen(LinkId link, std::vector<bool> held = {}) {
    engine_->OnLinkUp(link);
    OpenedFrame opened;
    opened.channel = LastOpen(link).channel;
    opened.manifest = manifest_->Encode();
    opened.held = std::move(held);
    engine_->OnFrame(link, opened);
  }
  void AnswerCreate(std::shared_ptr<PieceStore> store) {
    ASSERT_FALSE(objects_.creates.empty());
    auto done = std::move(objects_.creates.front());
    objects_.creates.pop_front();
    std::move(done)(std::move(store));
  }
  // A fetch that downloads from these holders, who have all.
  void Download(const std::vector<std::string>& holders) {
    Fetch();
    AnswerLocate(HeldBy(holders));
    for (const std::string& holder : holders) AnswerOpen(LinkTo(holder));
    AnswerCreate(StoreWith({}));
  }

  // What was asked on a link and not cancelled.
  std::vector<uint32_t> Asked(LinkId link) const {
    std::vector<uint32_t> asked;
    for (const auto& each : network_.sent) {
      if (each.link != link) continue;
      if (const auto* request = absl::get_if<RequestFrame>(&each.frame)) {
        asked.insert(asked.end(), request->pieces.begin(), request->pieces.end());
      } else if (const auto* cancel = absl::get_if<CancelFrame>(&each.frame)) {
        for (uint32_t piece : cancel->pieces) {
          asked.erase(std::remove(asked.begin(), asked.end(), piece), asked.end());
        }
      }
    }
    return asked;
  }
  void Arrive(LinkId link, uint32_t piece,
              TransferEngine::PieceResult result = TransferEngine::PieceResult::kVerified) {
    if (result == TransferEngine::PieceResult::kVerified) {
      static_cast<SimStore&>(*network_.into).held().Insert(piece);
    }
    engine_->OnPiece(link, LastOpen(link).channel, piece, result);
  }
  // All that is asked of the holder comes, until nothing is asked any more.
  void ArriveAll(LinkId link) {
    std::vector<bool> came(manifest_->pieces());
    for (bool more = true; more;) {
      more = false;
      for (uint32_t piece : Asked(link)) {
        if (came[piece]) continue;
        came[piece] = more = true;
        Arrive(link, piece);
      }
    }
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    engine_->Tick();
  }

  // A node that reads here.
  LinkId Accept(uint64_t number = 100) {
    engine_->OnAccepted(LinkId{number}, "reader");
    return LinkId{number};
  }
  OpenFrame OpenFor(uint32_t channel, std::string reader_address = "") const {
    OpenFrame open;
    open.channel = channel;
    open.object_id = id_;
    open.digest = manifest_->Digest();
    open.reader_address = std::move(reader_address);
    return open;
  }
  void AnswerBorrow(FakeObjects::Store store) {
    ASSERT_FALSE(objects_.borrows.empty());
    auto done = std::move(objects_.borrows.front());
    objects_.borrows.pop_front();
    std::move(done)(std::move(store));
  }

  const ObjectId id_ = *ObjectId::Parse("models/a");
  std::shared_ptr<const Manifest> manifest_;
  int live_stores_ = 0;
  FakeClock clock_;
  RecordingEventSink events_;
  FakeObjects objects_;
  FakeDirectory directory_;
  std::vector<absl::Status> results_;
  FakeNetwork network_;
  std::unique_ptr<TransferEngine> engine_;
};

}  // namespace packice
