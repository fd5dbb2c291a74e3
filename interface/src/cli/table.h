// Text in aligned columns. A value; thread-compatible.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace packice::cli {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  size_t min_width = 0;  // so that the parts of a long table line up
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  // Requires: as many cells as there are columns. They are printed as they are.
  void Add(std::vector<std::string> row);

  // Lines with an end each. The title line only `with_titles`.
  std::string Format(bool with_titles = true) const;

 private:
  void AppendRow(const std::vector<std::string>& row, const std::vector<size_t>& widths,
                 std::string& out) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace packice::cli
