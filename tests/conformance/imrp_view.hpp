#pragma once

#include <ima/net/retrieval_client.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What one client believes to be in an account, from what the server told it.

namespace conformance {

struct seen_message {
  std::string folder;
  std::set<std::string> flags;
  std::uint64_t size = 0;
  friend bool operator==(const seen_message&, const seen_message&) = default;
};

using messages = std::map<std::string, seen_message>;

/// A connection, and a view that is kept up by CHANGES alone.
class view {
 public:
  view(ima::net::retrieval_client client, std::vector<std::string> folders)
      : client_(std::move(client)), folders_(std::move(folders)) {}

  ima::net::retrieval_client& client() { return client_; }
  const messages& known() const { return known_; }

  /// Asks every folder for what changed since the last time, in pages of `page`.
  ima::result<void> follow(std::uint64_t page);
  /// Everything there is, asked from the beginning.
  ima::result<messages> list(std::uint64_t page);

 private:
  ima::result<void> follow(const std::string& folder, std::string& token, std::uint64_t page,
                           messages& into);

  ima::net::retrieval_client client_;
  std::vector<std::string> folders_;
  std::map<std::string, std::string> tokens_;
  messages known_;
};

/// The first difference in words; empty where there is none.
std::string difference(const messages& one, const messages& other);

}  // namespace conformance
