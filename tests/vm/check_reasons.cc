// SPDX-License-Identifier: Apache-2.0
// check_reasons FORMAT: whether our names of exit reasons are those of the running kernel. FORMAT is the file
// events/kvm/kvm_exit/format in tracefs: its last line has the kernel's own tables of both vendors, whichever
// the processor is. Exit status 1: a name differs, or there is no table.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "event/reason.h"

namespace {

using isoscope::event::Isa;

// `0x400`, `-1`, or the `0x040 + 14` that is left of SVM_EXIT_EXCP_BASE + PF_VECTOR.
std::uint32_t value_of(const std::string& expression) {
  long long sum = 0;
  for (const char* text = expression.c_str(); *text != '\0';) {
    char* end = nullptr;
    sum += std::strtoll(text, &end, 0);
    text = end + (end == text ? 1 : 0);
    while (*text == ' ' || *text == '+' || *text == '(' || *text == ')') {
      ++text;
    }
  }
  return static_cast<std::uint32_t>(sum);
}

// Compares the rows `{ NUMBER, "NAME" }` of one table; returns how many there are, or -1.
int compare(std::string_view table, Isa isa) {
  int rows = 0;
  bool equal = true;
  while (true) {
    const std::size_t open = table.find('{'), comma = table.find(", \"", open),
                      close = table.find("\" }", comma);
    if (open == std::string_view::npos || comma == std::string_view::npos ||
        close == std::string_view::npos) {
      break;
    }
    const std::uint32_t code = value_of(std::string(table.substr(open + 1, comma - open - 1)));
    const std::string name(table.substr(comma + 3, close - comma - 3));
    if (const std::string ours = isoscope::event::reason_name(isa, code); ours != name) {
      std::printf("%#x: the kernel says %s, we say %s\n", code, name.c_str(), ours.c_str());
      equal = false;
    }
    ++rows;
    table.remove_prefix(close);
  }
  return equal ? rows : -1;
}

// What stands in the parentheses of the next __print_symbolic; takes it off the text.
std::string_view next_table(std::string_view& text) {
  const std::size_t begin = text.find("__print_symbolic(");
  if (begin == std::string_view::npos) {
    return {};
  }
  text.remove_prefix(begin + 1);
  const std::size_t end = text.find("\" })");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 3);
}

}  // namespace

int main(int argc, char** argv) {
  std::ifstream file(argc == 2 ? argv[1] : "");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::string_view rest = text;
  const int vmx = compare(next_table(rest), Isa::vmx), svm = compare(next_table(rest), Isa::svm);
  std::printf("VMX: %d rows, SVM: %d rows\n", vmx, svm);
  constexpr int least_vmx = 55, least_svm = 100;  // as Linux 5.15 has
  return vmx >= least_vmx && svm >= least_svm ? 0 : 1;
}
