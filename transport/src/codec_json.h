// JSON text as a flat row of nodes that point into it: what the codec reads from.
//
// A tree of values would copy every string and lose how a number was written; seq and metadata must
// keep it. A Document belongs to one thread and points into the text it was given, which must
// outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace packice::json {

enum class Type : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kList, kObject };

// A node is followed by what is in it: a list by its entries, an object by key, value, key, value,
// ...
struct Node {
  const char* data;  // of kString its bytes, unescaped; of kNumber its JSON text
  uint32_t size;     // of `data`
  uint32_t span;     // nodes in all: this one and those in it
  Type type;

  absl::string_view text() const { return absl::string_view(data, size); }
  const Node* begin() const { return this + 1; }
  const Node* end() const { return this + span; }
  // The node behind this one and all that is in it.
  const Node* next() const { return this + span; }
};

class Document {
 public:
  Document() = default;
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  // Reads one strict JSON value (RFC 8259, valid UTF-8). False when `text` is not one; what was
  // read up to the fault is then there all the same. To be called once.
  bool Parse(absl::string_view text, size_t max_depth);

  // Null when nothing was read. After a failed Parse, the last key of an object may lack its value.
  const Node* root() const { return size_ == 0 ? nullptr : nodes_; }

  // What was wrong with the text, and where.
  const std::string& error() const { return error_; }

 private:
  friend struct Handler;

  // Not a vector: a node is written where it stays, which saves a sixth of the time to read.
  Node& Add() {
    if (size_ == capacity_) Grow();
    return nodes_[size_++];
  }
  void Grow();

  static constexpr size_t kInline = 48;  // enough for all but batches, lists and large metadata

  Node inline_[kInline];
  Node* nodes_ = inline_;
  size_t size_ = 0;
  size_t capacity_ = kInline;
  std::unique_ptr<Node[]> grown_;

  std::string unescaped_;  // the bytes of strings that had escapes
  std::string error_;
};

// Calls `visit(absl::string_view key, const Node& value)` for every member, in order, duplicates
// too.
template <typename Visit>
void ForEachMember(const Node& object, Visit visit) {
  for (const Node* key = object.begin(); key + 1 < object.end(); key = (key + 1)->next()) {
    visit(key->text(), key[1]);
  }
}

// Appends the node as compact JSON text; numbers as they were written.
void AppendNode(const Node& node, std::string& out);

}  // namespace packice::json
