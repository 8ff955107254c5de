// SPDX-License-Identifier: Apache-2.0
#include "probe/mapped_array.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace isoscope::probe {

base::Result<Mapping> Mapping::create(int map_fd, std::size_t bytes, const char* name) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t whole_pages = (bytes + page - 1) / page * page;
  void* const memory = ::mmap(nullptr, whole_pages, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (memory == MAP_FAILED) {
    return base::Error{base::ErrorKind::failure, fmt::format("cannot map the BPF map {} ({} bytes): {}", name,
                                                             whole_pages, base::errno_text(errno))};
  }
  Mapping mapping;
  mapping.memory_ = static_cast<std::byte*>(memory);
  mapping.bytes_ = whole_pages;
  return mapping;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (memory_ != nullptr) {
    ::munmap(memory_, bytes_);
  }
}

}  // namespace isoscope::probe
