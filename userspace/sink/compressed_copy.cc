// SPDX-License-Identifier: Apache-2.0
#include "sink/compressed_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>

#include "base/text.h"
#include "sink/file_io.h"

namespace isoscope::sink {

namespace {

using base::Error;
using base::Result;

// Some 10 ms of NDJSON at zstd's usual level.
constexpr std::size_t piece_bytes = std::size_t{2} << 20;

std::string temporary(const std::string& target) {
  return target + ".tmp";
}

}  // namespace

void CompressedCopy::FreeContext::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

CompressedCopy::CompressedCopy(std::string source, std::string target)
    : source_(std::move(source)), target_(std::move(target)), context_(ZSTD_createCCtx()) {}

CompressedCopy::~CompressedCopy() {
  if (out_) {
    ::unlink(temporary(target_).c_str());
  }
}

Error CompressedCopy::failed(const std::string& why) const {
  return {base::ErrorKind::failure, fmt::format("cannot compress {}: {}", base::printable(source_), why)};
}

Result<CompressedCopy> CompressedCopy::create(const std::string& source, const std::string& target) {
  CompressedCopy copy(source, target);
  copy.in_.reset(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (!copy.in_ || ::fstat(copy.in_.get(), &status) != 0) {
    return copy.failed(base::errno_text(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return copy.failed("it is no regular file");
  }
  copy.out_ = create_anew(temporary(target), 0600);
  if (!copy.out_ || ::fchmod(copy.out_.get(), status.st_mode & 0777U) != 0) {
    return copy.failed(base::errno_text(errno));
  }
  if (copy.context_ == nullptr) {
    return copy.failed("zstd has no memory");
  }
  ZSTD_CCtx_setParameter(copy.context_.get(), ZSTD_c_checksumFlag, 1);
  copy.raw_.resize(piece_bytes);
  copy.packed_.resize(ZSTD_CStreamOutSize());
  return copy;
}

Result<bool> CompressedCopy::step() {
  ssize_t got = 0;
  do {
    got = ::read(in_.get(), raw_.data(), raw_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    return failed(base::errno_text(errno));
  }
  const bool at_end = got == 0;
  ZSTD_inBuffer input{raw_.data(), static_cast<std::size_t>(got), 0};
  bool taken = false;
  while (!taken) {
    ZSTD_outBuffer output{packed_.data(), packed_.size(), 0};
    const std::size_t left =
        ZSTD_compressStream2(context_.get(), &output, &input, at_end ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) {
      return failed(ZSTD_getErrorName(left));
    }
    if (const int error = write_all(out_.get(), {packed_.data(), output.pos}); error != 0) {
      return failed(base::errno_text(error));
    }
    taken = at_end ? left == 0 : input.pos == input.size;
  }
  if (!at_end) {
    return false;
  }
  if (::rename(temporary(target_).c_str(), target_.c_str()) != 0) {
    return failed(base::errno_text(errno));
  }
  out_.reset();
  remove_source();
  return true;
}

void CompressedCopy::remove_source() const {
  struct stat ours {};
  struct stat there {};
  if (::fstat(in_.get(), &ours) == 0 && ::lstat(source_.c_str(), &there) == 0 &&
      ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
    ::unlink(source_.c_str());
  }
}

}  // namespace isoscope::sink
