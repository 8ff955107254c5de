// SPDX-License-Identifier: Apache-2.0
#include "sink/rotation.h"

#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"

namespace isoscope::sink {

Rotation::Rotation(std::string path, const config::Rotation& settings)
    : path_(std::move(path)), size_bytes_(settings.size_bytes), keep_(settings.keep) {
  if (::access(name(1, false).c_str(), F_OK) == 0) {
    compress_newest();
  }
}

std::string Rotation::name(std::uint32_t number, bool packed) const {
  return path_ + "." + std::to_string(number) + (packed ? ".zst" : "");
}

int Rotation::move_aside() {
  finish();
  // A number has one of the two names, or none: a gap where a file was taken away is no error.
  for (const bool packed : {false, true}) {
    ::unlink(name(keep_, packed).c_str());
    for (std::uint32_t number = keep_; number > 1; --number) {
      ::rename(name(number - 1, packed).c_str(), name(number, packed).c_str());
    }
  }
  return ::rename(path_.c_str(), name(1, false).c_str()) == 0 ? 0 : errno;
}

void Rotation::move_back() {
  ::rename(name(1, false).c_str(), path_.c_str());
}

void Rotation::compress_newest() {
  auto copy = CompressedCopy::create(name(1, false), name(1, true));
  if (!copy) {
    base::log::warning("{}; it stays as it is", copy.error().message);
    return;
  }
  copy_.emplace(std::move(*copy));
}

void Rotation::step() {
  if (!copy_) {
    return;
  }
  const auto done = copy_->step();
  if (!done) {
    base::log::warning("{}; it stays as it is", done.error().message);
    copy_.reset();
  } else if (*done) {
    copy_.reset();
  }
}

// Before its name becomes another's. Only a file that fills up within the seconds that this takes waits here.
void Rotation::finish() {
  while (copy_) {
    step();
  }
}

}  // namespace isoscope::sink
