#include "packice/core/packed_bytes.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace packice {
namespace {

std::string Bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7);
  return bytes;
}

TEST(PackedBytesTest, HoldsWhatItWasGivenWhateverItsLength) {
  for (size_t size = 0; size <= 300; ++size) {
    EXPECT_EQ(PackedBytes(Bytes(size)).view(), Bytes(size));
  }
  EXPECT_EQ(PackedBytes(Bytes(70'000)).view(), Bytes(70'000));
  EXPECT_TRUE(PackedBytes().empty());
  EXPECT_TRUE(PackedBytes("").empty());
  EXPECT_FALSE(PackedBytes(Bytes(1)).empty());
}

TEST(PackedBytesTest, ACopyIsOfItsOwn) {
  for (const size_t size : {size_t{5}, PackedBytes::kInline, PackedBytes::kInline + 1}) {
    PackedBytes copy;
    {
      const PackedBytes original(Bytes(size));
      copy = original;
    }
    EXPECT_EQ(copy.view(), Bytes(size));
    const PackedBytes& itself = copy;
    copy = itself;
    EXPECT_EQ(copy.view(), Bytes(size));
  }
}

TEST(PackedBytesTest, WhatWasMovedFromIsEmpty) {
  for (const size_t size : {size_t{5}, PackedBytes::kInline, PackedBytes::kInline + 1}) {
    PackedBytes from(Bytes(size));
    PackedBytes to(std::move(from));
    EXPECT_TRUE(from.empty());
    EXPECT_EQ(to.view(), Bytes(size));
    from = PackedBytes("other");
    from = std::move(to);
    EXPECT_TRUE(to.empty());
    EXPECT_EQ(from.view(), Bytes(size));
  }
}

}  // namespace
}  // namespace packice
