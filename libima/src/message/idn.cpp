#include <ima/address.hpp>

#include <fmt/format.h>
#include <idn2.h>

#include <memory>
#include <utility>

namespace ima {
namespace {

struct idn_freer {
  void operator()(char* text) const { idn2_free(text); }
};
using idn_text = std::unique_ptr<char, idn_freer>;

result<std::string> checked(std::string host) {
  if (auto good = check_hostpart(host); !good) {
    error why = std::move(good).error();
    why.kind = fault::caller;
    return why;
  }
  return host;
}

}  // namespace

result<std::string> hostpart_from_unicode(std::string_view host) {
  char* made = nullptr;
  const int status =
      idn2_to_ascii_8z(std::string(host).c_str(), &made, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  const idn_text owned(made);
  if (status != IDN2_OK || host.find('\0') != std::string_view::npos)
    return error{fault::caller, "hostpart", "",
                 fmt::format("hostpart '{}': {}", host, idn2_strerror(status))};
  return checked(owned.get());
}

std::string hostpart_to_unicode(std::string_view host) {
  char* made = nullptr;
  const int status = idn2_to_unicode_8z8z(std::string(host).c_str(), &made, 0);
  const idn_text owned(made);
  return status == IDN2_OK ? std::string(owned.get()) : std::string(host);
}

}  // namespace ima
