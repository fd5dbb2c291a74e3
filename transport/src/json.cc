// The only source that sees Boost.JSON. It is used header-only, so that nothing needs to be linked.
#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/json/basic_parser_impl.hpp"
#include "boost/json/src.hpp"
#include "codec_json.h"
#include "codec_write.h"

namespace packice::json {

// What boost::json::basic_parser calls as it reads. The names are its own.
struct Handler {
  static constexpr size_t max_object_size = UINT32_MAX;
  static constexpr size_t max_array_size = UINT32_MAX;
  static constexpr size_t max_key_size = UINT32_MAX;
  static constexpr size_t max_string_size = UINT32_MAX;

  using string_view = boost::json::string_view;
  using error_code = boost::json::error_code;

  static constexpr uint32_t kNone = UINT32_MAX;

  Handler(Document& out, absl::string_view text) : document(out), source(text) {}

  Node& Add(Type type, const char* data, size_t size) {
    Node& node = document.Add();
    node.data = data;
    node.size = static_cast<uint32_t>(size);
    node.span = 1;
    node.type = type;
    return node;
  }

  // While a container is open, its span holds the index of the one around it.
  void Open(Type type) {
    const uint32_t at = static_cast<uint32_t>(document.size_);
    Add(type, nullptr, 0).span = open;
    open = at;
  }
  void Close() {
    Node& node = document.nodes_[open];
    const uint32_t around = node.span;
    node.span = static_cast<uint32_t>(document.size_) - open;
    open = around;
  }
  void CloseAll() {
    while (open != kNone) Close();
  }

  // The parser hands over a string in one piece of the source, or else in pieces from its own
  // buffer.
  void AddPiece(string_view piece) {
    std::string& bytes = document.unescaped_;
    // Unescaped text is never longer than the source, so one reservation keeps all pointers good.
    if (bytes.capacity() < source.size()) bytes.reserve(source.size());
    bytes.append(piece.data(), piece.size());
  }
  void AddString(string_view last, size_t total) {
    const auto inside = [&](const char* p) {
      return std::less_equal<>()(source.data(), p) &&
             std::less_equal<>()(p, source.data() + source.size());
    };
    if (last.size() == total && inside(last.data())) {
      Add(Type::kString, last.data(), total);
      return;
    }
    AddPiece(last);
    const std::string& bytes = document.unescaped_;
    Add(Type::kString, bytes.data() + bytes.size() - total, total);
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return Open(Type::kObject), true; }
  bool on_object_end(size_t, error_code&) { return Close(), true; }
  bool on_array_begin(error_code&) { return Open(Type::kList), true; }
  bool on_array_end(size_t, error_code&) { return Close(), true; }
  bool on_key_part(string_view piece, size_t, error_code&) { return AddPiece(piece), true; }
  bool on_key(string_view last, size_t total, error_code&) { return AddString(last, total), true; }
  bool on_string_part(string_view piece, size_t, error_code&) { return AddPiece(piece), true; }
  bool on_string(string_view last, size_t n, error_code&) { return AddString(last, n), true; }
  bool on_number_part(string_view, error_code&) { return true; }
  // Numbers come with their text, because the whole source is one buffer.
  bool AddNumber(string_view text) { return Add(Type::kNumber, text.data(), text.size()), true; }
  bool on_int64(int64_t, string_view text, error_code&) { return AddNumber(text); }
  bool on_uint64(uint64_t, string_view text, error_code&) { return AddNumber(text); }
  bool on_double(double, string_view text, error_code&) { return AddNumber(text); }
  bool on_bool(bool b, error_code&) {
    return Add(b ? Type::kTrue : Type::kFalse, nullptr, 0), true;
  }
  bool on_null(error_code&) { return Add(Type::kNull, nullptr, 0), true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  Document& document;
  const absl::string_view source;
  uint32_t open = kNone;
};

void Document::Grow() {
  const size_t capacity = capacity_ * 2;
  std::unique_ptr<Node[]> grown(new Node[capacity]);
  std::copy(nodes_, nodes_ + size_, grown.get());
  grown_ = std::move(grown);
  nodes_ = grown_.get();
  capacity_ = capacity;
}

bool Document::Parse(absl::string_view text, size_t max_depth) {
  if (text.size() > INT32_MAX) {
    error_ = "the text is longer than 2 GiB";
    return false;
  }
  boost::json::parse_options options;
  options.max_depth = max_depth;
  boost::json::basic_parser<Handler> parser(options, *this, text);
  boost::json::error_code fault;
  const size_t read = parser.write_some(/*more=*/false, text.data(), text.size(), fault);
  if (!fault && read == text.size()) return true;

  parser.handler().CloseAll();
  if (fault == boost::json::error::too_deep) {
    error_ = absl::StrCat("it is nested deeper than ", max_depth, " levels");
  } else if (fault == boost::json::error::incomplete) {
    error_ = "it ends too early";
  } else if (!fault) {
    error_ = absl::StrCat("text follows it at byte ", read);
  } else {
    const bool ascii = read >= text.size() || static_cast<unsigned char>(text[read]) < 0x80;
    error_ =
        absl::StrCat(ascii ? fault.message() : "syntax error or invalid UTF-8", " at byte ", read);
  }
  return false;
}

void AppendNode(const Node& node, std::string& out) {
  switch (node.type) {
    case Type::kNull:
      out.append("null");
      return;
    case Type::kFalse:
      out.append("false");
      return;
    case Type::kTrue:
      out.append("true");
      return;
    case Type::kNumber:
      out.append(node.data, node.size);
      return;
    case Type::kString:
      AppendString(node.text(), out);
      return;
    case Type::kList: {
      out.push_back('[');
      for (const Node* entry = node.begin(); entry != node.end(); entry = entry->next()) {
        if (entry != node.begin()) out.push_back(',');
        AppendNode(*entry, out);
      }
      out.push_back(']');
      return;
    }
    case Type::kObject: {
      char before = '{';
      ForEachMember(node, [&](absl::string_view key, const Node& value) {
        out.push_back(before);
        before = ',';
        AppendString(key, out);
        out.push_back(':');
        AppendNode(value, out);
      });
      out.append(before == '{' ? "{}" : "}");
      return;
    }
  }
}

}  // namespace packice::json
