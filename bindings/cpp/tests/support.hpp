// What the tests share: counting failures, reading the vectors' tables.
#ifndef SYNC_TESTS_SUPPORT_HPP
#define SYNC_TESTS_SUPPORT_HPP

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <sync/verify.hpp>
#include <vector>

inline int failures = 0;

inline bool check(bool holds, const char* what, const char* file, int line, const std::string& about = {}) {
  if (!holds) {
    ++failures;
    std::fprintf(stderr, "%s:%d: %s %s\n", file, line, what, about.c_str());
  }
  return holds;
}
#define CHECK(...) check((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define CHECK_ABOUT(about, ...) check((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__, about)

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CHECK_ABOUT(path, file.is_open());
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

inline std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char character : text) {
    if (character == separator) {
      parts.emplace_back();
    } else {
      parts.back() += character;
    }
  }
  return parts;
}

// A table's rows without its first line, which names the columns.
inline std::vector<std::vector<std::string>> rows(const std::string& path) {
  std::vector<std::vector<std::string>> found;
  for (const std::string& line : split(read_file(path), '\n')) {
    if (!line.empty() && line[0] != '#') found.push_back(split(line, '\t'));
  }
  return found;
}

// Where exceptions are on: what the functions without `try_` do. Gives how many checks on files it made.
int check_exceptions(const std::string& vectors, const std::string& folder);

#endif
