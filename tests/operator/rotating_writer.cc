// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>
#include <string>

#include "sink/output.h"

// usage: rotating_writer FILE ROTATE-BYTES
// Writes numbered lines through the sinks' own file, as many as each line of standard input says, in batches
// as a window does, and says `ok` when they are written. Numbers go on from one command to the next.
int main(int argc, char** argv) {
  using isoscope::sink::OutputFile;
  if (argc != 3) {
    std::fputs("usage: rotating_writer FILE ROTATE-BYTES\n", stderr);
    return 2;
  }
  isoscope::config::Rotation rotation;
  rotation.size_bytes = std::stoull(argv[2]);
  rotation.keep = 1000;
  auto file = OutputFile::create(argv[1], rotation);
  if (!file) {
    std::fprintf(stderr, "%s\n", file.error().message.c_str());
    return 1;
  }
  constexpr int lines_of_a_window = 40;
  long number = 0;
  for (std::string command; std::getline(std::cin, command);) {
    std::string window;
    for (const long end = number + std::stol(command); number < end; ++number) {
      window += R"({"schema":"isoscope.v1","type":"test","seq":)" + std::to_string(number) +
                R"(,"filling":")" + std::string(static_cast<std::size_t>(number % 300), 'x') + "\"}\n";
      if (number % lines_of_a_window == 0) {
        file->write(window);
        file->tidy();
        window.clear();
      }
    }
    file->write(window);
    file->tidy();
    std::puts(file->write_errors() == 0 ? "ok" : "errors");
    std::fflush(stdout);
  }
  return 0;
}
