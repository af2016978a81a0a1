#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

// A throw-away certificate authority for tests, made with the openssl program so that what is
// tested is what an operator would make.

namespace ima::test {

class authority {
 public:
  authority() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ima-ca-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    folder_ = pattern;
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
        "'/CN=Test CA'"
        " -keyout ca.key -out ca.pem");
  }
  authority(const authority&) = delete;
  authority& operator=(const authority&) = delete;
  ~authority() { std::filesystem::remove_all(folder_); }

  std::string ca_file() const { return path("ca.pem"); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// Makes NAME.pem and NAME.key with this subject and these extensions (openssl's words, one a
  /// line; may be empty).
  void issue(const std::string& name, const std::string& subject, const std::string& extensions,
             const std::string& options = "-days 2") const {
    std::ofstream(folder_ / (name + ".ext")) << extensions << "\n";
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '" + subject +
        "' -keyout " + name + ".key -out " + name + ".csr");
    run("openssl x509 -req -in " + name +
        ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile " + name + ".ext " + options +
        " -out " + name + ".pem");
  }
  /// A certificate for a domain as an operator would have it.
  void issue_domain(const std::string& domain) const {
    issue(domain, "/CN=" + domain,
          "subjectAltName=DNS:" + domain + "\nextendedKeyUsage=serverAuth");
  }

  void run(const std::string& command) const {
    const std::string line = "cd '" + folder_.string() + "' && " + command + " >>log 2>&1";
    if (std::system(line.c_str()) != 0) throw std::runtime_error("failed: " + command);
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace ima::test
