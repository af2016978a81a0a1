#include <ima/retrieval/backend.hpp>

namespace ima::retrieval {

namespace {

error unsupported() { return refusal(reason::unsupported, "this post office does not offer it"); }

}  // namespace

result<void> account::create_folder(std::string_view, std::string_view) { return unsupported(); }
result<void> account::rename_folder(std::string_view, std::string_view) { return unsupported(); }
result<void> account::delete_folder(std::string_view) { return unsupported(); }

result<std::unique_ptr<message_sink>> account::append(const append_target&, const header_block&) {
  return unsupported();
}

result<std::unique_ptr<submission>> account::send(const send_options&, const header_block&) {
  return unsupported();
}

result<search_page> account::search(std::string_view, std::string_view, std::uint64_t,
                                    const search_query&) {
  return unsupported();
}

result<quota_status> account::quota() { return unsupported(); }
result<void> account::change_password(octets, octets) { return unsupported(); }

// An account that can watch keeps what it is given, so it is taken by value.
// NOLINTBEGIN(performance-unnecessary-value-param)
result<std::unique_ptr<subscription>> account::watch(std::span<const watched_folder>, tell_change,
                                                     std::function<void()>) {
  return unsupported();
}
// NOLINTEND(performance-unnecessary-value-param)

result<std::vector<queued_message>> account::queue() { return unsupported(); }

}  // namespace ima::retrieval
