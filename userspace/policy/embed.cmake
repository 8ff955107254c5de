# SPDX-License-Identifier: Apache-2.0
# Writes the text of a policy as C++: cmake -DINPUT=FILE.yaml -DOUTPUT=FILE.cc -P embed.cmake
file(READ "${INPUT}" text)
file(WRITE "${OUTPUT}" "// Made from ${INPUT}.
#include \"policy/default_policy.h\"

namespace isoscope::policy {

std::string_view default_policy_text() {
  return R\"yaml(${text})yaml\";
}

}  // namespace isoscope::policy
")
