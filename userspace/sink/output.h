// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/config.h"
#include "sink/rotation.h"

namespace isoscope::sink {

// Where the lines of one sink go: a file that is appended to, or standard output. Failing never ends the
// program: lines that could not be written are counted, and the next write tries again.
//
// The process must ignore SIGPIPE.
class OutputFile {
 public:
  // `-` is standard output, /dev/stderr standard error. The file is made with mode 0640 (less the umask)
  // where it is missing. Error: failure, with path and reason, if it cannot be written.
  // A regular file is rotated: before it would exceed the size of `rotate`, at the end of a line. A line
  // alone that is longer has a file of its own.
  static base::Result<OutputFile> create(const std::string& path, const config::Rotation& rotate = {});
  // Each write() becomes the whole content of the file, which others never see in part (whole_file.h). Of
  // what is no regular file, such as standard output or a pipe, it is an end that is appended to, as by
  // create().
  static base::Result<OutputFile> create_replaced(const std::string& path);

  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = default;

  // Each write() is handed to `publish`, and cannot fail. `name` stands for the path.
  static OutputFile create_published(std::string name, std::function<void(std::string_view)> publish);

  // Opens the path anew, for who has moved the old file away; standard output and error stay as they are.
  // After an error the old file stays in use.
  base::Result<base::Ok> reopen();

  // Writes whole lines. What stands half-written after an error is ended before the next line begins.
  void write(std::string_view lines);

  // Goes on with what takes longer, such as compressing; to be called now and then. Some 10 ms.
  void tidy();

  // The reader of the pipe has gone: nothing will be written any more, and that is no error.
  bool closed() const { return closed_; }
  // Lines lost so far.
  std::uint64_t write_errors() const { return write_errors_; }
  // Why the last line was lost, as errno; 0 since the last success.
  int last_error() const { return last_error_; }
  bool is_terminal() const { return is_terminal_; }
  // Both write to one regular file, whatever they call it.
  bool is_same_file(const OutputFile& other) const;
  const std::string& path() const { return path_; }

 private:
  OutputFile(std::string path, base::UniqueFd fd);

  bool wait_writable();
  void replace(std::string_view text);
  void rotate();
  void look_at_descriptor();
  bool is_at_path() const;
  std::string_view fitting(std::string_view lines);
  bool write_lines(std::string_view& lines);
  bool write_some(std::string_view& bytes);

  std::string path_;
  base::UniqueFd fd_;
  std::function<void(std::string_view)> publish_;  // in place of a file, where there is one
  bool replaces_ = false;                          // without a descriptor
  bool is_regular_ = false;
  bool is_terminal_ = false;
  bool closed_ = false;
  bool torn_ = false;                   // the last byte written was not the end of a line
  bool stalled_ = false;                // the reader let a whole wait pass
  std::unique_ptr<Rotation> rotation_;  // none: it grows
  std::uint64_t size_ = 0;
  std::uint64_t rotate_at_ = 0;
  int last_error_ = 0;
  std::uint64_t write_errors_ = 0;
};

}  // namespace isoscope::sink
