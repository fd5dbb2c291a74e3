#include "conversation.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/identity.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

std::string Kind(const absl::Status& status) {
  return status.ok() ? "ok" : std::string(InfoOf(KindOf(status)).name);
}

absl::Duration Seconds(const std::string& text) {
  double seconds = 0;
  EXPECT_TRUE(absl::SimpleAtod(text, &seconds)) << text;
  return absl::Seconds(seconds);
}

std::string TtlText(absl::Duration ttl) { return absl::StrCat("ttl=", absl::ToDoubleSeconds(ttl)); }

template <typename Sizes>
std::string Told(ObjectState state, const Sizes& sizes, const Metadata& metadata) {
  std::string text = state == ObjectState::kSealed ? "SEALED" : "CREATING";
  absl::StrAppend(&text, " ", absl::StrJoin(sizes, "+"));
  if (!metadata.empty()) absl::StrAppend(&text, " ", FormatMetadata(metadata));
  return text;
}

std::string Told(const Grant& grant) {
  std::vector<uint64_t> sizes;
  for (const auto& blob : grant.object->blobs()) sizes.push_back(blob->size());
  std::string text = Told(grant.object->state(), sizes, grant.object->metadata());
  if (grant.lease.ttl != absl::InfiniteDuration()) {
    absl::StrAppend(&text, " ", TtlText(grant.lease.ttl));
  }
  return text;
}

std::string BytesOf(const Grant& grant) {
  const Blob& blob = *grant.object->blobs()[0];
  std::string bytes(blob.size(), '\0');
  const absl::StatusOr<size_t> got = blob.Read(0, absl::MakeSpan(bytes));
  if (!got.ok()) return Kind(got.status());
  bytes.resize(*got);
  return bytes;
}

}  // namespace

// "A: w = create o 5 ttl=60": client A, result w, verb create, words {o, 5}, options {ttl: 60}.
struct Conversation::Line {
  std::string client;
  std::string result;
  std::string verb;
  std::vector<std::string> words;
  std::map<std::string, std::string> options;
  bool later = false;

  explicit Line(const std::string& text) {
    std::vector<std::string> all = absl::StrSplit(text, ' ', absl::SkipEmpty());
    client = all[0].substr(0, all[0].find(':'));
    all.erase(all.begin());
    if (all.size() > 2 && all[1] == "=") {
      result = all[0];
      all.erase(all.begin(), all.begin() + 2);
    }
    verb = all[0];
    for (size_t i = 1; i < all.size(); ++i) {
      const size_t equals = all[i].find('=');
      if (all[i] == "later") {
        later = true;
      } else if (equals != std::string::npos) {
        options[all[i].substr(0, equals)] = all[i].substr(equals + 1);
      } else {
        words.push_back(all[i]);
      }
    }
  }
  std::string Word(size_t i) const { return i < words.size() ? words[i] : ""; }
  bool Has(const std::string& name) const { return options.count(name) > 0; }
};

Peer& Conversation::Client(const std::string& name) {
  std::unique_ptr<Peer>& client = clients_[name];
  if (client == nullptr) client = connect_();
  return *client;
}

LeaseId Conversation::IdOf(const std::string& lease) const {
  const auto found = leases_.find(lease);
  return found == leases_.end() ? LeaseId() : found->second;
}

std::string Conversation::Keep(const std::string& name, Grant_ grant) {
  if (!grant.ok()) return Kind(grant.status());
  std::string told = Told(*grant);
  if (name.empty()) return told;
  leases_.insert_or_assign(name, grant->lease.id);
  grants_.insert_or_assign(name, *std::move(grant));
  return told;
}

std::string Conversation::Acquire(const Line& line, Access access) {
  AcquireRequest request;
  request.access = access;
  if (absl::StatusOr<ObjectId> id = ObjectId::Parse(line.Word(0)); id.ok()) {
    request.object_id = *std::move(id);
  }
  for (size_t i = 1; i < line.words.size(); ++i) {
    request.blob_sizes.push_back(std::stoull(line.words[i]));
  }
  if (line.Has("ttl")) request.ttl = Seconds(line.options.at("ttl"));
  if (line.Has("wait")) request.wait = Seconds(line.options.at("wait"));
  if (line.Has("life")) request.object_ttl = Seconds(line.options.at("life"));
  if (line.Has("meta")) {
    absl::StatusOr<Metadata> metadata = ParseMetadata(line.options.at("meta"));
    if (!metadata.ok()) return Kind(metadata.status());
    request.metadata = *std::move(metadata);
  }
  Peer& peer = Client(line.client);
  if (!line.later) return Keep(line.result, blocking::Acquire(peer, std::move(request)));
  request.operation = operations_[line.result] = NewOperationId();
  auto promise = std::make_shared<std::promise<Grant_>>();
  pending_.insert_or_assign(line.result, promise->get_future());
  peer.Acquire(std::move(request),
               [promise](Grant_ grant) { promise->set_value(std::move(grant)); });
  return "ok";
}

std::string Conversation::Await(const Line& line) {
  std::future<Grant_>& future = pending_.at(line.Word(0));
  if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) return "nothing";
  return Keep(line.Word(0), future.get());
}

std::string Conversation::WithLease(const Line& line) {
  Peer& peer = Client(line.client);
  const LeaseId id = IdOf(line.Word(0));
  if (line.verb == "discard") return Kind(blocking::Discard(peer, {.lease_id = id}));
  if (line.verb == "release") {
    grants_.erase(line.Word(0));  // of the object, too, nothing is kept
    return Kind(blocking::Release(peer, {.lease_id = id}));
  }
  if (line.verb == "relocate") {
    return Kind(blocking::Relocate(peer, {id, ObjectId::Parse(line.Word(1)).value()}));
  }
  if (line.verb == "renew") {
    const absl::StatusOr<absl::Duration> ttl =
        blocking::Renew(peer, {.lease_id = id, .ttl = Seconds(line.Word(1))});
    return ttl.ok() ? TtlText(*ttl) : Kind(ttl.status());
  }
  SealRequest request;
  request.lease_id = id;
  if (line.Has("size")) request.size = std::stoull(line.options.at("size"));
  if (line.Has("meta")) request.metadata = ParseMetadata(line.options.at("meta")).value();
  const absl::StatusOr<Sealed> sealed = blocking::Seal(peer, std::move(request));
  if (!sealed.ok()) return Kind(sealed.status());
  return absl::StrCat(sealed->object_id.bytes(), " ", sealed->size);
}

std::string Conversation::Inspect(const Line& line) {
  Peer& peer = Client(line.client);
  if (line.verb == "stat") {
    const absl::StatusOr<ObjectInfo> info =
        blocking::Stat(peer, ObjectId::Parse(line.Word(0)).value());
    if (!info.ok()) return Kind(info.status());
    return absl::StrCat(Told(info->state, info->blob_sizes, info->metadata),
                        " leases=", info->leases, info->expires_at.has_value() ? " expires" : "");
  }
  if (line.verb == "list") {
    ListRequest request;
    request.prefix = line.Has("prefix") ? line.options.at("prefix") : "";
    request.after = line.Has("after") ? line.options.at("after") : "";
    if (line.Has("limit")) request.limit = std::stoull(line.options.at("limit"));
    const absl::StatusOr<ListPage> page = blocking::List(peer, request);
    if (!page.ok()) return Kind(page.status());
    std::string text;
    for (const ObjectInfo& info : page->objects) {
      absl::StrAppend(&text, info.object_id.bytes(), " ");
    }
    return absl::StrCat(text, ">", page->next.has_value() ? " " : "",
                        page->next.has_value() ? page->next->bytes() : "");
  }
  const absl::StatusOr<PeerStats> stats = blocking::Stats(peer);
  if (!stats.ok()) return Kind(stats.status());
  return absl::StrCat(
      "objects=", stats->objects, " creating=", stats->creating, " hits=", stats->hits,
      " misses=", stats->misses, " evictions=", stats->evictions, " waiting=", stats->waiting,
      " leases=", stats->read_leases, "/", stats->create_leases, "/", stats->write_leases);
}

std::string Conversation::Say(const std::string& text) {
  const Line line(text);
  if (line.verb == "create") return Acquire(line, Access::kCreate);
  if (line.verb == "read") return Acquire(line, Access::kRead);
  if (line.verb == "write") return Acquire(line, Access::kWrite);
  if (line.verb == "await") return Await(line);
  if (line.verb == "cancel") {
    Client(line.client).Cancel(operations_.at(line.Word(0)));
    return "ok";
  }
  if (line.verb == "leave") {
    clients_.erase(line.client);
    return "ok";
  }
  if (line.verb == "put") {
    return Kind(grants_.at(line.Word(0)).object->blobs()[0]->Write(0, line.Word(1)));
  }
  if (line.verb == "get") return BytesOf(grants_.at(line.Word(0)));
  if (line.verb == "stat" || line.verb == "list" || line.verb == "stats") return Inspect(line);
  return WithLease(line);
}

}  // namespace packice
