#include "mirror/failures.hpp"
#include "mirror/state.hpp"
#include "support/try.hpp"

#include <ima/digest.hpp>
#include <ima/message.hpp>

#include <string>
#include <vector>

// Receives the parts of one message.

namespace ima::mirror {
namespace {

constexpr std::uint64_t resumable = 256 * 1024;  // smaller parts are not worth a file of their own

result<void> read_all(const partial_download& from,
                      const net::retrieval_client::take_octets& take) {
  std::vector<char> buffer(64 * 1024);
  for (std::uint64_t at = 0; at < from.size();) {
    IMA_TRY(count, from.read_at(at, buffer.data(), buffer.size()));
    if (count == 0) return error{fault::temporary, "storage", "", "a download was cut short"};
    IMA_CHECK(take(octets(buffer.data(), count)));
    at += count;
  }
  return {};
}

}  // namespace

result<void> mirror::state::receive_parts(const std::string& folder, const std::string& id,
                                          const header_block& header, mailbox::delivery& into) {
  body_reader body(header);
  const auto take = [&](octets piece) -> result<void> {
    for (;;) {
      auto slice = body.next(piece);
      if (!slice) return unavailable_for(id, slice.error());
      if (!*slice) return {};
      IMA_CHECK(into.write(**slice));
    }
  };
  for (std::size_t i = 0; i < header.parts().size(); ++i)
    IMA_CHECK(receive_part(folder, id, i + 1, header.parts()[i], take));
  return take({});  // empty parts at the end
}

// A small part is in memory until it is whole, since an error of whoever takes it would end the
// connection. A large one is gathered beside the mailbox, so that what came before the connection
// broke needs not come again.
result<void> mirror::state::receive_part(const std::string& folder, const std::string& id,
                                         std::uint64_t number, const part_info& part,
                                         const take_octets& take) {
  if (part.size < resumable) {
    std::string whole;
    const auto keep = [&](octets piece) -> result<void> {
      whole += piece;
      return {};
    };
    IMA_CHECK(range(folder, id, number, 0, part.size, keep));
    return take(whole);
  }
  IMA_TRY(kept, downloads_.part(id, number));
  IMA_CHECK(complete(kept, folder, id, number, part));
  return read_all(kept, take);
}

// Fetches what is missing; where the whole does not match its digest, an earlier run or a crash
// left something else, and it comes once more from the beginning.
result<void> mirror::state::complete(partial_download& kept, const std::string& folder,
                                     const std::string& id, std::uint64_t number,
                                     const part_info& part) {
  for (;;) {
    if (kept.size() > part.size) IMA_CHECK(kept.clear());
    const bool resumed = kept.size() > 0;
    const auto keep = [&](octets piece) { return kept.append(piece); };
    IMA_CHECK(range(folder, id, number, kept.size(), part.size - kept.size(), keep));
    hasher sum;
    const auto add = [&](octets piece) -> result<void> {
      sum.update(piece);
      return {};
    };
    IMA_CHECK(read_all(kept, add));
    if (sum.finish() == part.sha256) return {};
    IMA_CHECK(kept.clear());
    if (!resumed) return broken(id, "part-digest", "the octets do not match the part's sha256=");
  }
}

// All of a range of a part. What keeping it fails for is not the message's fault.
result<void> mirror::state::range(const std::string& folder, const std::string& id,
                                  std::uint64_t number, std::uint64_t offset, std::uint64_t length,
                                  const take_octets& keep) {
  bool kept = true;
  const auto got = remote_.fetch(
      folder, id, number,
      [&](octets piece) {
        so_far_.octets += piece.size();
        (*progress_)(so_far_);
        auto good = keep(piece);
        kept = good.has_value();
        return good;
      },
      offset, length);
  if (!got && kept && is_of_message(got.error())) return unavailable_for(id, got.error());
  if (!got) return got.error();
  if (*got == length) return {};
  return broken(id, "part-size", "a part is shorter than its header block says");
}

}  // namespace ima::mirror
