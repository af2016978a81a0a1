#pragma once

#include <ima/small_file.hpp>

#include <algorithm>
#include <string>

/// The first line of a file: a password on the command line could be read by everybody (ps).
inline ima::result<std::string> password_in(const std::string& path) {
  auto text = ima::read_small_file(path, "password-file", 4096);
  if (text) text->erase(std::min(text->find('\n'), text->size()));
  return text;
}
