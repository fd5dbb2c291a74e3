#include "cli/table.h"

#include <algorithm>
#include <utility>

#include "cli/text.h"

namespace packice::cli {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

void Table::AppendRow(const std::vector<std::string>& row, const std::vector<size_t>& widths,
                      std::string& out) const {
  for (size_t i = 0; i < row.size(); ++i) {
    const std::string padding(widths[i] - std::min(widths[i], DisplayWidth(row[i])), ' ');
    if (columns_[i].align == Align::kRight) out += padding;
    out += row[i];
    if (i + 1 == row.size()) break;
    if (columns_[i].align == Align::kLeft) out += padding;
    out += "  ";
  }
  out += '\n';
}

std::string Table::Format(bool with_titles) const {
  std::vector<size_t> widths;
  std::vector<std::string> titles;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(std::max(column.min_width, DisplayWidth(column.title)));
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string out;
  if (with_titles) AppendRow(titles, widths, out);
  for (const auto& row : rows_) AppendRow(row, widths, out);
  return out;
}

}  // namespace packice::cli
