#include "json_text.h"

#include <gtest/gtest.h>

#include <string>

namespace packice {
namespace {

TEST(JsonText, ValuesAreText) {
  for (const char* text :
       {"null", "true", "false", "0", "-0", "12", "-1.5e+10", "1E-2", "0.25", "\"\"", "\"a\"",
        R"("\"\\\/\b\f\n\r\t\u00e9")", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", "[]", "[ ]",
        "{}", "[1, [2], {\"a\" : {\"b\":[]}}]", " {\"a\":1,\n\t\"b\":2}\r\n"}) {
    EXPECT_TRUE(IsJsonText(text)) << text;
  }
}

TEST(JsonText, OtherBytesAreNone) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "nulls",
                           "True",
                           "01",
                           "1.",
                           ".5",
                           "-",
                           "+1",
                           "1e",
                           "1e+",
                           "0x1",
                           "NaN",
                           "\"",
                           "\"a",
                           "\"\\\"",
                           R"("\x")",
                           R"("\u12g4")",
                           R"("\u12)",
                           "\"a\nb\"",
                           "\"\x01\"",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{",
                           "{1:2}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\" 1}",
                           "1 2",
                           "1,\"ok\":false",
                           "{}}",
                           "'a'",
                           "// no",
                           "\"\x80\"",
                           "\"\xc0\x80\"",
                           "\"\xc3\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xf4\x90\x80\x80\"",
                           "\"\xe0\x80\x80\"",
                           "\"\xff\"",
                           "\xef\xbb\xbf"
                           "1"}) {
    EXPECT_FALSE(IsJsonText(text)) << text;
  }
  EXPECT_FALSE(IsJsonText(absl::string_view("1\0", 2)));
}

TEST(JsonText, ItIsNotNestedForEver) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(IsJsonText(nested(kMaxJsonDepth)));
  EXPECT_FALSE(IsJsonText(nested(kMaxJsonDepth + 2)));
  EXPECT_FALSE(IsJsonText(std::string(1 << 16, '[')));
}

}  // namespace
}  // namespace packice
