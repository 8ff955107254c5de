// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace isoscope::probe {

// The memory of a BPF_F_MMAPABLE array map. Unmapped with the object; the map lives on.
class Mapping {
 public:
  Mapping() = default;
  static base::Result<Mapping> create(int map_fd, std::size_t bytes, const char* name);
  Mapping(Mapping&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  std::byte* memory() const { return memory_; }

 private:
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

// Typed view of it. The programs write while we read: values are copied in whole 8-byte words (or 4, for the
// tail), so that no counter is ever torn.
template <typename T>
class MappedArray {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 8 == 0);

 public:
  MappedArray() = default;
  MappedArray(Mapping mapping, std::uint32_t count)
      : mapping_(std::move(mapping)), memory_(mapping_.memory()), count_(count) {}
  // An array among the object's globals, whose memory belongs to the skeleton.
  template <std::size_t Count>
  explicit MappedArray(T (&global)[Count])
      : memory_(reinterpret_cast<std::byte*>(global)), count_(static_cast<std::uint32_t>(Count)) {}

  std::uint32_t size() const { return count_; }

  T read(std::uint32_t index) const {
    T copy;
    const auto* from = reinterpret_cast<const std::uint64_t*>(memory_ + index * sizeof(T));
    std::uint64_t words[sizeof(T) / 8];
    for (std::size_t i = 0; i < sizeof(T) / 8; ++i) {
      words[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
    }
    std::memcpy(&copy, words, sizeof(T));
    return copy;
  }

  // For entries that no program touches: free ones, or ours to write.
  T& owned(std::uint32_t index) { return *reinterpret_cast<T*>(memory_ + index * sizeof(T)); }

 private:
  Mapping mapping_;  // where the memory is ours
  std::byte* memory_ = nullptr;
  std::uint32_t count_ = 0;
};

}  // namespace isoscope::probe
