// What a power loss does to a tree whose shadow was kept (faulty_disk/shadow.h): the tree becomes
// what its disk would hold.
#pragma once

#include <random>
#include <string>

#include "faulty_disk/shadow_layout.h"

namespace packice {

// Decides what survives though it was not synced.
using Random = std::mt19937_64;

// All that is in the tree is durable from now on; an earlier shadow is forgotten.
void BeginShadow(const std::string& tree, const faulty_disk::ShadowLayout& layout);

// To be called when no process has the tree any more. With no `survivors` nothing survives that was
// not synced; otherwise any part of it may: of a file each sector of 512 bytes, its length and its
// mode, of a directory each name that came or went. Ends with BeginShadow().
void LosePower(const std::string& tree, const faulty_disk::ShadowLayout& layout, Random* survivors);

}  // namespace packice
