#include "tls/revocation.hpp"

#include "support/try.hpp"
#include "tls/facts.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

namespace ima::tls {
namespace {

error bad_lists(const std::string& path, std::string why) {
  ERR_clear_error();
  return {fault::caller, "crl-file", path, std::move(why)};
}

std::vector<crl_ptr> read_pem(const std::string& path) {
  std::vector<crl_ptr> lists;
  const bio_ptr in(BIO_new_file(path.c_str(), "r"));
  while (in) {
    crl_ptr next(PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    lists.push_back(std::move(next));
  }
  return lists;
}

// Whether read_pem() ended because the file did, and not at something broken.
bool ended_well() { return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE; }

result<std::vector<crl_ptr>> read_file(const std::string& path) {
  ERR_clear_error();
  std::vector<crl_ptr> lists = read_pem(path);
  if (!lists.empty() && !ended_well()) return bad_lists(path, openssl_errors());
  if (lists.empty()) {
    ERR_clear_error();
    const bio_ptr in(BIO_new_file(path.c_str(), "rb"));
    if (!in) return bad_lists(path, openssl_errors());
    lists.emplace_back(d2i_X509_CRL_bio(in.get(), nullptr));
    if (!lists.back()) return bad_lists(path, "holds no revocation list, neither PEM nor DER");
  }
  ERR_clear_error();
  return lists;
}

result<std::vector<std::string>> files_of(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code failed;
  std::filesystem::directory_iterator at(directory, failed);
  for (; !failed && at != std::filesystem::directory_iterator(); at.increment(failed))
    if (!at->path().filename().string().starts_with('.')) files.push_back(at->path().string());
  if (failed) return bad_lists(directory, failed.message());
  if (files.empty()) return bad_lists(directory, "holds no revocation list");
  std::sort(files.begin(), files.end());  // so that the first complaint is always the same
  return files;
}

}  // namespace

result<std::vector<crl_ptr>> read_revocation_lists(const std::string& path) {
  std::error_code unknown;  // then it is no directory, and reading it says what is wrong
  if (!std::filesystem::is_directory(path, unknown)) return read_file(path);
  IMA_TRY(files, files_of(path));
  std::vector<crl_ptr> lists;
  for (const std::string& file : files) {
    IMA_TRY(more, read_file(file));
    std::move(more.begin(), more.end(), std::back_inserter(lists));
  }
  return lists;
}

}  // namespace ima::tls
