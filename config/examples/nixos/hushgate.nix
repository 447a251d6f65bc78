# Hushgate on NixOS, as a container on SQLite. Import it, and say what it is to do:
#
#   services.hushgate = {
#     enable = true;
#     credentials."apns.p8" = "/run/secrets/apns.p8";
#     settings.apps."com.example.app.ios" = {
#       type = "apns";
#       key_file = "credentials/apns.p8";
#       key_id = "ABC123DEFG";
#       team_id = "TEAM123456";
#       topic = "com.example.app";
#     };
#   };
{ config, lib, pkgs, ... }:

let
  cfg = config.services.hushgate;
  # The user of the image.
  uid = "65532";
  # JSON is YAML.
  file = (pkgs.formats.json { }).generate "hushgate.yaml" (
    { store.url = "sqlite:/data/hushgate.db"; } // cfg.settings
  );
in
{
  options.services.hushgate = {
    enable = lib.mkEnableOption "Hushgate, a Matrix push gateway";

    image = lib.mkOption {
      type = lib.types.str;
      default = "ghcr.io/hushgate/hushgate:0.1.0";
      description = "The image. Written with its digest, nobody can put another in its place.";
    };

    port = lib.mkOption {
      type = lib.types.port;
      default = 5000;
      description = "Port on 127.0.0.1 for the reverse proxy. The admin port is not published.";
    };

    dataDir = lib.mkOption {
      type = lib.types.path;
      default = "/var/lib/hushgate";
      description = "Where the store is.";
    };

    settings = lib.mkOption {
      type = (pkgs.formats.json { }).type;
      default = { };
      description = "hushgate.yaml. Every user can read it, so secrets are credentials.";
    };

    credentials = lib.mkOption {
      type = lib.types.attrsOf lib.types.path;
      default = { };
      description = "By the name under credentials/, the path of a file on the machine that user 65532 can read. Not a path of the Nix store, which every user can read.";
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.tmpfiles.rules = [ "d ${cfg.dataDir} 0700 ${uid} ${uid} -" ];

    virtualisation.oci-containers.containers.hushgate = {
      inherit (cfg) image;
      ports = [ "127.0.0.1:${toString cfg.port}:5000" ];
      volumes =
        [
          "${file}:/etc/hushgate/hushgate.yaml:ro"
          "${cfg.dataDir}:/data"
        ]
        ++ lib.mapAttrsToList (
          name: path: "${path}:/etc/hushgate/credentials/${name}:ro"
        ) cfg.credentials;
      extraOptions = [
        "--read-only"
        "--tmpfs=/tmp"
        "--cap-drop=ALL"
        "--security-opt=no-new-privileges"
        "--memory=512m"
        "--ulimit=core=0"
        # What is on its way is finished first.
        "--stop-timeout=40"
      ];
    };
  };
}
