# Sourced: download Debian packages with all they need and unpack them into a folder of ours, leaving the
# system's packages unchanged. Signatures are always checked, by apt, with the distribution's keyring.
# shellcheck shell=bash

APT_ETC=${XIAOE_APT_ETC:-/etc/apt} # the machine's apt configuration, which names its mirror; tests point it elsewhere

DEBIAN_SUITES='bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable'

# Debian mirrors that the machine's own apt configuration names, one a line, best guess first. A third-party
# repository can look like one; it drops out later, since its index is not signed by Debian.
debian_mirrors() {
  if [ -n "${XIAOE_DEBIAN_MIRROR:-}" ]; then
    echo "$XIAOE_DEBIAN_MIRROR"
    return
  fi
  shopt -s nullglob
  local deb822=("$APT_ETC"/sources.list.d/*.sources) lists=("$APT_ETC"/sources.list "$APT_ETC"/sources.list.d/*.list)
  shopt -u nullglob
  {
    # deb822: stanzas parted by blank lines, "Key: value", a value may go on in indented lines.
    [ ${#deb822[@]} = 0 ] || awk -v suites="^($DEBIAN_SUITES)(-updates|-backports)?$" '
      function flush(   i, n, part, ok) {
        n = split(field["suites"], part, /[ \t]+/)
        for (i = 1; i <= n; i++) if (part[i] ~ suites) ok = 1
        if (ok && field["types"] ~ /(^| )deb( |$)/ && field["components"] ~ /(^| )main( |$)/ &&
            tolower(field["enabled"]) !~ /^(no|false|0|off|without)$/) {
          n = split(field["uris"], part, /[ \t]+/)
          for (i = 1; i <= n; i++) if (part[i] != "") print part[i]
        }
        delete field; key = ""
      }
      FNR == 1 && NR > 1 { flush() }
      /^#/ { next }
      /^[ \t]*$/ { flush(); next }
      /^[^ \t].*:/ { key = tolower($0); sub(/:.*/, "", key); value = $0; sub(/^[^:]*:[ \t]*/, "", value); field[key] = value; next }
      { value = $0; sub(/^[ \t]+/, "", value); field[key] = field[key] " " value }
      END { flush() }' "${deb822[@]}"
    # one line each: deb [options] URI suite component...
    cat -- "${lists[@]}" 2>/dev/null | sed -nE 's/#.*//; s/^[[:space:]]*deb[[:space:]]+(\[[^]]*\][[:space:]]*)?//p' |
      awk -v suites="^($DEBIAN_SUITES)(-updates|-backports)?$" '
        $2 ~ suites { for (i = 3; i <= NF; i++) if ($i == "main") { print $1; next } }'
  } | grep -v '^cdrom:' | awk '!seen[$0]++'
}

debian_keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    [ -r "$file" ] && { echo "$file"; return; }
  done
  say "Debian's signing keys are not here (on Ubuntu: sudo apt-get install debian-archive-keyring)"
  return 1
}

# A private apt: own package lists, and an empty package status, so that nothing counts as installed and the
# whole closure is named. ETC holds the sources. Proxies and logins are the machine's.
write_apt_conf() {
  local apt=$1 etc=$2
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial}
  : >"$apt/status"
  {
    cat <<CONF
Dir::State "$apt/state"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
Dir::Etc "$etc"; Dir::Etc::parts "/dev/null"; Dir::Etc::main "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/etc/apt/trusted.gpg"; Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";
Dir::Etc::netrc "/etc/apt/auth.conf"; Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
APT::Install-Recommends "false"; APT::Sandbox::User "root"; APT::Update::Error-Mode "any";
Acquire::Languages "none"; Acquire::Retries "2"; Acquire::http::Timeout "20"; Acquire::https::Timeout "20";
CONF
    apt-config dump | grep -E '^Acquire::(https?::|ftp::|Check-Date|ForceIPv)' || true
    # An index past its Valid-Until is accepted (mirrors lag); its signature is checked all the same.
    echo 'Acquire::Check-Valid-Until "false";'
  } >"$apt/apt.conf"
}

# A package and its dependencies, itself first, without those of maintainer scripts and helper programs: a database
# server runs without perl. A name missing here only costs some download.
closure() {
  apt-get install -y --print-uris "$@" 2>/dev/null | awk -F"[' ]" '/^\047/ { sub(/_.*/, "", $4); print $4 }' |
    grep -vE '^(perl|libperl|libgdbm|libdb5|libc-gconv|openssl-provider|gcc-.*-base|debconf|init-system|libsasl2-modules|libtirpc-common|libbz2|libxxhash|galera)'
}

# download_debs APT PACKAGE: into APT/cache/archives. Some releases have a version in the name (mysql-server-core-8.0).
# In a subshell: APT_CONFIG must not reach the system's apt.
download_debs() (
  export APT_CONFIG=$1/apt.conf
  apt-get -qq update >"$1/log" 2>&1 || { say "$(grep -m1 '^[EW]:' "$1/log" || echo 'apt-get update failed')"; exit 1; }
  local name names=()
  for name in "$2" $(apt-cache pkgnames "$2-" | grep -xE "$2-[0-9.]+" | sort -rV); do
    mapfile -t names < <(closure "$name")
    [ ${#names[@]} = 0 ] || break
  done
  [ ${#names[@]} -gt 0 ] || { say "there is no package $2"; exit 1; }
  cd "$1/cache/archives" || exit 1
  apt-get -qq download "${names[@]}" >>"$1/log" 2>&1 || { say "$(grep -m1 '^E:' "$1/log" || echo 'download failed')"; exit 1; }
)

unpack_debs() {
  local apt=$1 tree=$2 deb
  umask 022 # the server may run as another user, who has to be able to read this
  mkdir -p "$tree"
  for deb in "$apt"/cache/archives/*.deb; do dpkg -x "$deb" "$tree" || return 1; done
  # Older packages still have libraries in /lib; one place is simpler for the loader.
  if [ -d "$tree/lib" ] && [ ! -L "$tree/lib" ]; then
    cp -a "$tree/lib/." "$tree/usr/lib/"
    rm -rf "${tree:?}/lib"
  fi
  rm -rf "${tree:?}"/{usr/share/{doc,man,locale,lintian,bug},usr/bin,var}
}

# fetch_tree TREE PACKAGE SUITE: unpack PACKAGE of Debian's SUITE. SUITE "own" means whatever the machine's own
# distribution has. If it is not available, prints the reason and returns 1.
fetch_tree() {
  local tree=$1 package=$2 suite=$3 apt=$1.apt keyring mirror mirrors done_=0
  if ! have apt-get || ! have dpkg; then
    say "no apt here, so no packages to unpack"
    return 1
  fi
  rm -rf "$apt" "$tree.new"
  mkdir -p "$apt/etc"
  if [ "$suite" = own ]; then
    write_apt_conf "$apt" "$APT_ETC"
    say "fetching $package of this distribution"
    download_debs "$apt" "$package" && done_=1
  else
    keyring=$(debian_keyring) || { rm -rf "$apt"; return 1; }
    mapfile -t mirrors < <(debian_mirrors)
    [ ${#mirrors[@]} -gt 0 ] ||
      say "$APT_ETC names no Debian mirror (set XIAOE_DEBIAN_MIRROR to one, such as .../debian)"
    write_apt_conf "$apt" "$apt/etc"
    for mirror in "${mirrors[@]}"; do
      say "fetching $package of Debian $suite from $mirror"
      echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/etc/sources.list"
      if download_debs "$apt" "$package"; then done_=1; break; fi
    done
  fi
  if [ $done_ = 1 ] && (unpack_debs "$apt" "$tree.new"); then
    dpkg-deb -f "$apt/cache/archives/$package"[_-]*.deb Version >"$tree.new/.version"
    say "unpacked $package $(sed "s/^[0-9]*://" "$tree.new/.version"): $(du -cm "$apt"/cache/archives/*.deb | tail -1 | cut -f1) MB of" \
      "packages, $(du -sm "$tree.new" | cut -f1) MB on disk"
    rm -rf "$apt" "$tree"
    mv "$tree.new" "$tree" # last, in one step: a tree that exists is complete
    return 0
  fi
  rm -rf "$apt" "$tree.new"
  return 1
}
