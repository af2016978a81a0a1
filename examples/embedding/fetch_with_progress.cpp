// Fetches the parts of the message that changed last in a user's inbox, and shows how far it is.
//
//   fetch_with_progress CA HOSTPART ADDRESS USER PASSWORD-FILE DIRECTORY

#include "password_file.hpp"

#include <ima/header.hpp>
#include <ima/net/retrieval_client.hpp>

#include <fstream>
#include <iostream>
#include <optional>

namespace {

using ima::net::retrieval_client;

int complain(const ima::error& problem) {
  std::cerr << problem.message() << '\n';
  return problem.kind == ima::fault::temporary ? 75 : 1;
}

// The id of the message that came or changed last; empty for an empty folder.
ima::result<std::string> newest(retrieval_client& office) {
  std::string token(ima::retrieval::first_token);
  std::string id;
  for (bool more = true; more;) {
    const auto page = office.changes("inbox", token, 1000);
    if (!page) return page.error();
    for (const auto& change : page->changes)
      if (change.present) id = change.id;
    token = page->token;
    more = page->more;
  }
  return id;
}

ima::result<ima::header_block> header_of(retrieval_client& office, const std::string& id) {
  ima::result<ima::header_block> found =
      ima::error{ima::fault::temporary, "no-message", "", "the message is gone"};
  const auto asked = office.headers("inbox", std::span(&id, 1),
                                    [&](std::string_view, ima::octets block, ima::octets) {
                                      found = ima::header_block::parse(block);
                                      return ima::result<void>();
                                    });
  if (!asked) return asked.error();
  return found;
}

// A part's name is a stranger's and never becomes a path; its number does.
ima::result<void> fetch(retrieval_client& office, const std::string& id, std::size_t number,
                        const ima::part_info& part, const std::string& directory) {
  std::ofstream file(directory + "/part-" + std::to_string(number), std::ios::binary);
  ima::hasher check;
  std::uint64_t had = 0;
  const auto take = [&](ima::octets piece) -> ima::result<void> {
    if (!file.write(piece.data(), static_cast<std::streamsize>(piece.size())))
      return ima::error{ima::fault::temporary, "storage", directory, "cannot write"};
    check.update(piece);
    had += piece.size();
    std::cerr << "\rpart " << number << ": " << 100 * had / part.size << " %";
    return {};
  };
  const auto got = office.fetch("inbox", id, number, take);
  std::cerr << '\n';
  if (!got) return got.error();
  if (!file.flush()) return ima::error{ima::fault::temporary, "storage", directory, "cannot write"};
  if (check.finish() != part.sha256)
    return ima::error{ima::fault::peer, "part-digest", "", "the part is damaged"};
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "usage: fetch_with_progress CA HOSTPART ADDRESS USER PASSWORD-FILE DIRECTORY\n";
    return 64;
  }
  const auto tls = ima::tls::context::create(
      {.inside = ima::tls::protocol::imrp, .system_store = false, .ca_file = argv[1]});
  if (!tls) return complain(tls.error());
  const auto password = password_in(argv[5]);
  if (!password) return complain(password.error());
  auto office = retrieval_client::connect({.host = argv[2], .hosts = {{argv[2], argv[3]}}}, *tls);
  if (!office) return complain(office.error());
  if (auto good = office->authenticate(argv[4], *password); !good) return complain(good.error());
  const auto id = newest(*office);
  if (!id) return complain(id.error());
  if (id->empty()) return std::cerr << "no mail\n", 0;
  const auto header = header_of(*office, *id);
  if (!header) return complain(header.error());
  for (std::size_t n = 1; n <= header->parts().size(); ++n)
    if (auto good = fetch(*office, *id, n, header->parts()[n - 1], argv[6]); !good)
      return complain(good.error());
  const auto good = office->done();
  return good ? 0 : complain(good.error());
}
