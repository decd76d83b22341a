# SPDX-License-Identifier: MIT OR Apache-2.0
#
# { module, utils } of this tree.  In a NixOS configuration:
#   boot.extraModulePackages = [ (config.boot.kernelPackages.callPackage ./dkms/nix { }).module ];
#   environment.systemPackages = [ (pkgs.callPackage ./dkms/nix { kernel = null; }).utils ];
#   services.udev.packages = [ the same ];
{ lib
, stdenv
, rustPlatform
, kernel ? null
, rustc ? null
, rust-bindgen ? null
}:

let
  tree = ../..;
  workspace = (builtins.fromTOML (builtins.readFile (tree + "/Cargo.toml"))).workspace;
  version = workspace.package.version;
  src = lib.cleanSource tree;
  platforms = [ "x86_64-linux" "aarch64-linux" ];
in
{
  module = stdenv.mkDerivation {
    pname = "ax650-module";
    inherit version src;
    # The kernel's own compilers: metadata of another rustc cannot be read.
    nativeBuildInputs = kernel.moduleBuildDependencies ++ lib.optionals (rustc != null) [ rustc rust-bindgen ];
    makeFlags = (kernel.makeFlags or [ ]) ++ [
      "-C"
      "${kernel.dev}/lib/modules/${kernel.modDirVersion}/build"
      "M=$(PWD)/kmod"
    ];
    buildFlags = [ "modules" ];
    hardeningDisable = [ "pic" "format" ];
    installPhase = ''
      runHook preInstall
      install -D -m 644 kmod/ax650.ko "$out/lib/modules/${kernel.modDirVersion}/misc/ax650.ko"
      runHook postInstall
    '';
    meta = {
      description = "Driver for AX650N accelerator cards";
      license = lib.licenses.gpl2Only;
      inherit platforms;
      broken = !(kernel.withRust or false) || lib.versionOlder kernel.version "7.2";
    };
  };

  utils = rustPlatform.buildRustPackage {
    pname = "ax650-utils";
    inherit version src;
    cargoLock.lockFile = tree + "/Cargo.lock";
    cargoBuildFlags = [ "-p" "ax650" "-p" "ax650-firmware" "--bins" ];
    # The tree's tests need a machine of their own (`make test`).
    doCheck = false;
    postPatch = "patchShebangs dkms";
    installPhase = ''
      runHook preInstall
      PREFIX=$out dkms/install-utils.sh "target/${stdenv.hostPlatform.rust.rustcTarget}/release"
      runHook postInstall
    '';
    meta = {
      description = "Tools for AX650N accelerator cards";
      license = with lib.licenses; [ mit asl20 ];
      mainProgram = "ax650";
      inherit platforms;
    };
  };
}
