// A connection to another node, from its first byte to its last: greets, takes frames and pieces
// from it and sends what waits in its outbox. Shared by the network and by what is under way on the
// socket; thread-compatible: all use is on the engine's thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "asio_network.h"
#include "frame_parser.h"
#include "handshake.h"
#include "inbox.h"
#include "link_stream.h"
#include "outbox.h"
#include "packice/p2p/transfer_engine.h"

namespace packice {

// What all links of a node share. Outlives them.
struct LinkContext {
  const AsioNetworkOptions& options;
  TransferEvents* events = nullptr;    // set before the first link
  std::unique_ptr<LinkTls> tls;        // null: plain text
  Hello hello;                         // without a nonce
  absl::Span<char> scratch;            // room to read frames into; used within one call
  absl::Span<char> discard;            // room for pieces that nobody wants
  std::function<void(LinkId)> forget;  // the link is over
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Endpoint = boost::asio::ip::tcp::endpoint;

  Link(LinkId id, LinkSide side, Socket socket, LinkContext& context);

  // One of these begins it. `turn_away`: why the other node is to be refused, if it is.
  void Connect(std::vector<Endpoint> endpoints);
  void Accepted(absl::Status turn_away);

  void Send(const Frame& frame);
  void SendPiece(uint32_t channel, uint32_t piece, std::shared_ptr<PieceStore> store);
  void ReceiveInto(uint32_t channel, std::shared_ptr<PieceStore> store);

  Instant heard() const { return heard_; }  // when bytes last came

  // Ends it: after what can be sent at once, and without a word to anybody.
  void HangUp();
  // Ends it and tells why, if anybody knows of it.
  void Fail(const absl::Status& why);

  // Fails if it has waited too long for something.
  void CheckDeadlines(Instant now);

 private:
  // What one link may move before it is the others' turn.
  static constexpr size_t kTurnBytes = 1 << 20;
  // Of frames that the other end does not take. It asks for much and reads nothing.
  static constexpr size_t kMaxWaitingBytes = 64 << 20;

  enum class State { kConnecting, kGreeting, kUp, kOver };

  bool over() const { return state_ == State::kOver; }
  void Greet(absl::Status turn_away);
  void AwaitReadable();
  void AwaitWritable();

  // Bytes that come.
  void Receive();
  void ReceiveLater();
  void Put(size_t bytes);
  void Take(absl::string_view bytes);
  void TakeGreeting(absl::string_view& bytes);
  void TakeFrame(const Frame& frame);
  void EndPiece();

  // Bytes that go.
  void FlushSoon();
  void Flush();
  void NoteSent(size_t bytes);
  void FailAsGreedy();
  void TellSent();
  void Lost(const LinkStream::Moved& moved);
  static absl::Status WhyOver(const LinkStream::Moved& moved);
  void Close();

  const LinkId id_;
  const LinkSide side_;
  LinkContext& context_;
  Socket socket_;
  State state_ = State::kConnecting;
  bool told_;  // the engine knows of it
  std::unique_ptr<LinkStream> stream_;
  std::unique_ptr<Handshake> handshake_;  // while kGreeting
  FrameParser parser_;
  Inbox inbox_;
  Outbox outbox_;
  std::vector<Outbox::Sent> sent_;
  Instant deadline_ = absl::InfiniteDuration();  // to be connected, then to be greeted
  Instant progress_ = absl::ZeroDuration();      // when bytes last went, or began to wait
  uint64_t sent_since_tuned_ = 0;                // bytes
  Instant tuned_at_ = absl::ZeroDuration();
  Instant heard_ = absl::ZeroDuration();
  bool awaits_readable_ = false;
  bool awaits_writable_ = false;
  bool flush_is_due_ = false;
};

}  // namespace packice
