# Completion of gtp. Made from src/grammar and tools/completion by npm run gen: not to be edited.
# shellcheck shell=bash

# Options: name, abbreviation, what follows, source, choices, placeholder, help.
_gtp_options=(
  Version V last '' '' '' 'print the version'
  help '' last '' '' '' 'print what there is, and a line about each option'
  json j flag '' '' '' 'answer with one JSON array'
  pretty p flag '' '' '' 'indent the JSON'
  details d flag '' '' '' 'show all of a record; if the kernel refuses a program, its whole log'
  statistics s flag '' '' '' 'show counters; twice: those that are zero as well'
  brief br flag '' '' '' 'one short line a record'
  oneline o flag '' '' '' 'one long line a record'
  human-readable h flag '' '' '' 'counters with k, M, G'
  iec '' flag '' '' '' 'the same in powers of 1024'
  timestamp t later '' '' '' ''
  color c equals '' 'auto always never' '{auto|always|never}' 'colour the text; -c alone: always; not given: never'
  netns n required netns '' '{ NAME | PID | PATH }' 'do everything in that network namespace'
  batch b required file '' '{ FILE | - }' 'carry out the commands in a file, or on stdin: one a line, without "gtp"'
  force '' flag '' '' '' 'go on with a batch after a command that failed'
)
# Objects and commands with their help; those without any are not offered.
_gtp_objects=(
  $'link\twhere a tunnel meets a namespace'
  $'session\tone tunnel'
  $'ping\twhether a peer answers: GTP-U echo'
  $'path\tlocal addresses and the peers that sessions have'
  $'monitor\t'
  $'capture\t'
  $'top\t'
  $'check\t'
  $'gateway\t'
  $'ue\t'
  $'completion\tcompletion of words by TAB in a shell'
  $'help\twhat can be typed'
)
_gtp_aliases=(
  $'delete\tthe same'
  $'list\tthe same'
  $'lst\tthe same'
)
_gtp_commands() {
  case $1 in
    link)
      commands=(
        $'add\tmake a link, and with SESSION-WORDS its first session'
        $'set\tchange a link'
        $'del\tremove a link with its sessions'
        $'show\tshow one link, some, or all'
        $'flush\tremove all links'
        $'help\twhat can be typed'
      )
      ;;
    session)
      commands=(
        $'add\tmake a session; fails if it exists'
        $'change\tchange the words given; fails if the session does not exist'
        $'replace\tmake a session, or change it if it exists'
        $'del\tremove a session'
        $'get\tshow one session'
        $'show\tshow sessions'
        $'flush\tremove sessions; without words all of the network namespace'
        $'endmarker\ttell the peer that no more packets will come (End Marker)'
        $'save\t'
        $'restore\t'
        $'help\twhat can be typed'
      )
      ;;
    ping)
      only=run
      ;;
    path)
      commands=(
        $'show\tshow local addresses and peers'
        $'help\twhat can be typed'
      )
      ;;
    completion)
      commands=(
        $'bash\tprint the completion for bash'
        $'zsh\tprint the completion for zsh'
        $'fish\tprint the completion for fish'
        $'values\t'
        $'help\twhat can be typed'
      )
      ;;
    *) return 1 ;;
  esac
}
_gtp_rows() {
  case $1 in
    'link add')
      rows=(
        ifname '' 255 PQ '' '' '' '' NAME 'the end that stays here'
        type type 255 '' '' 3 '' 'gtp gre gretap geneve vxlan l2tp vlan' TYPE 'kind of its sessions, unless they say another: gtp, gre, gretap, geneve, vxlan, l2tp, vlan (default gtp)'
        local local 255 '' '' '' address '' ADDR 'outer address of this end; else the source address towards the remote'
        dev dev 255 R '' '' interface '' UNDERLAY 'device to listen on; else the one that holds local; type vlan needs it, and tags on the first'
        netns netns 255 '' '' '' netns '' '{ NAME | PID | PATH }' 'network namespace of the inner end; else it stays here'
        inner inner 255 '' '' '' '' '' IFNAME 'name of the inner end: eth0, or NAME followed by i if it stays here'
        address address 255 R '' '' '' '' PREFIX 'address of the inner end'
        route route 255 R '' '' '' default '{ PREFIX | default }' 'route through the inner end'
        mtu mtu 255 '' '' '' '' '' N 'MTU of the inner end; else computed from the sessions'
        role role 255 '' '' '' '' 'ggsn sgsn pgw upf gnb enb ue' '{ ggsn | sgsn }' 'sessions by inner destination (ggsn, pgw, upf) or source (sgsn, gnb, enb, ue) (default ggsn)'
        port port 115 '' '' '' '' '' N 'outer UDP port to receive on (default 2152 for gtp; 6081 for geneve; 4789 for vxlan; 1701 for l2tp)'
        srcport srcport 51 '' '' '' '' 'fixed hash' '{ fixed | hash | N }' 'outer UDP source port: that of the kind, by flow, or a number; l2tp has udp_sport (default fixed for gtp; hash for geneve, vxlan)'
        ttl ttl 255 '' '' '' '' inherit '{ N | inherit }' 'outer TTL or hop limit (default 64)'
        tos tos 255 '' '' '' '' inherit '{ N | inherit }' 'outer TOS or traffic class (default 0)'
        udpcsum udpcsum 255 FN '' '' '' '' '' 'outer UDP checksum; default over IPv6, where noudpcsum also takes packets without one, and for geneve and l2tp'
        df df 255 '' '' '' '' 'set unset inherit' '{ set | unset | inherit }' 'outer DF bit (default set)'
        gso gso 255 '' '' '' '' 'auto split keep' '{ auto | split | keep }' 'when to cut super-packets (default auto)'
        deliver deliver 255 '' '' '' '' 'auto bulk small' '{ auto | bulk | small }' 'through GRO (bulk) or straight (small) (default auto)'
        hairpin hairpin 255 '' '' '' '' 'on off' '{ on | off }' 'short cut between two links of this machine (default on)'
        xdp xdp 255 '' '' '' '' 'auto on off' '{ auto | on | off }' 'receive by native XDP: on real NICs whose drivers can, on every underlay, or on none (default auto)'
        lladdr lladdr 255 '' '' '' '' '' MAC 'MAC of the end that stays here'
        echo echo 255 '' '' '' '' 'on off' '{ on | off }' 'answer Echo Requests; like errind and extnotify on when any link at this local address says so (default on)'
        errind errind 255 '' '' '' '' 'on off' '{ on | off }' 'answer unknown TEIDs with Error Indications (default on)'
        extnotify extnotify 255 '' '' '' '' 'on off' '{ on | off }' 'answer unknown extension headers with a notification (default on)'
        errind-action errind-action 255 '' '' '' '' 'none mark del' '{ none | mark | del }' 'what a received Error Indication does to its session: nothing, show it as the state, or end it (default mark)'
        restart_count restart_count 255 '' '' '' '' '' N 'Recovery in Echo Responses of version 0 (default 0)'
        vrf vrf 255 '' '' '' vrf none '{ NAME | TABLE | none }' 'VRF that the inner end and its routes belong to; or a routing table, by name or number, to which rules lead'
        datapath datapath 255 '' '' '' '' 'bpf kernel' '{ bpf | kernel }' 'what moves the packets: our programs, or the kernel'\''s own gtp driver (default bpf)'
        hsize hsize 255 '' '' '' '' '' N 'buckets of the driver'\''s hash tables; else 1024'
        payload payload 17 '' '' '' '' 'ip ethernet' '{ ip | ethernet }' 'what the link carries: IP packets, or whole Ethernet frames (default ip for gtp; ethernet for geneve)'
        version version 3 '' '' 253 '' '0 1' '{ 0 | 1 }' 'of GTP: 1 with a TEID for each direction, 0 with one TID (default 1)'
        local-teid local-teid 1 Q '' '' '' auto '{ TEID | auto }' 'TEID that the peer puts into packets to us'
        remote-teid remote-teid 1 Q '' '' '' '' TEID 'TEID that we put into packets to the peer'
        tid tid 2 Q '' '' '' '' TID 'TID of packets in both directions'
        flow flow 2 '' '' '' '' '' N 'flow label that the peer puts into packets to us (default 0)'
        remote-flow remote-flow 2 '' '' '' '' '' N 'flow label that we put into packets to the peer (default 0)'
        key key 12 '' 'ikey okey' '' '' '' N 'key in both directions; else none'
        ikey ikey 12 '' key '' '' '' N 'key that the peer puts into packets to us'
        okey okey 12 '' key '' '' '' N 'key that we put into packets to the peer'
        vni vni 48 Q '' '' '' '' N 'virtual network identifier, in both directions'
        session_id session_id 64 Q '' '' '' '' N 'session ID that the peer puts into packets to us'
        peer_session_id peer_session_id 64 Q '' '' '' '' N 'session ID that we put into packets to the peer'
        id id 128 Q '' '' '' '' N 'VLAN ID, in both directions'
        remote remote 127 Q '' '' '' '' ADDR 'outer address of the peer'
        ue ue 255 R '' '' '' '' PREFIX 'who lives behind the far (ggsn) or near (sgsn) end; 10.45.0.4/16 is all of 10.45.0.0/16'
        from from 255 '' '' '' '' '' PREFIX 'packets with this inner source and the destination of to'
        to to 255 '' '' '' '' '' PREFIX 'packets with this inner destination and the source of from'
        name name 255 '' '' '' '' '' LABEL 'a label'
        peer peer 127 '' '' '' '' 'any strict' '{ any | strict }' 'take packets from any outer source, or from remote alone (default any for gtp; strict for gre, gretap, geneve, vxlan, l2tp)'
        antispoof antispoof 255 FN '' '' '' '' '' 'drop packets from the tunnel that are not of ue; default where ue is given'
        qfi qfi 1 '' '' '' '' '' N 'send a PDU Session Container with this QoS Flow Identifier'
        rqi rqi 1 F '' '' '' '' '' 'Reflective QoS Indication in the container'
        ppi ppi 1 '' '' '' '' '' N 'Paging Policy Indicator in the container'
        psc psc 1 '' '' '' '' 'auto none dl ul' '{ auto | none | dl | ul }' 'PDU Session Container: by role, never, or of that type (default auto)'
        seq seq 1 FN '' '' '' '' '' 'number the packets that we send; default noseq'
        csum csum 12 FN '' '' '' '' '' 'checksum in the packets that we send; default nocsum'
        iseq iseq 12 FN '' '' '' '' '' 'drop packets that come late or twice by their number; default noiseq'
        oseq oseq 12 FN '' '' '' '' '' 'number the packets that we send; default nooseq'
        opt opt 16 R '' '' '' '' 'CLASS:TYPE:HEX' 'an option in the packets that we send, in hexadecimal'
        dstport dstport 48 '' '' '' '' '' N 'UDP port of the peer; else our own'
        cookie cookie 64 '' '' '' '' none '{ HEX | none }' 'cookie of 4 or 8 octets that we send; else none'
        peer_cookie peer_cookie 64 '' '' '' '' none '{ HEX | none }' 'cookie that the peer must send; else none'
        l2spec_type l2spec_type 64 '' '' '' '' 'none default' '{ none | default }' 'L2-specific sublayer, which numbers stand in (default default)'
        l2tp_seq seq 64 '' '' '' '' 'none send recv both' '{ none | send | recv | both }' 'number packets that we send, drop received ones that come late or twice, or both (default none)'
        encap encap 64 '' '' '' '' 'udp ip' '{ udp | ip }' 'over UDP, or straight over IP (default udp)'
        udp_sport udp_sport 64 '' '' '' '' '' N 'our UDP port; else that of a link of type l2tp, or 1701'
        udp_dport udp_dport 64 '' '' '' '' '' N 'UDP port of the peer; else 1701'
        protocol protocol 128 '' '' '' '' '802.1Q 802.1ad' '{ 802.1Q | 802.1ad }' 'EtherType of the tag: 0x8100 or 0x88a8 (default 802.1Q)'
      )
      ;;
    'link set')
      rows=(
        ifname '' 255 PQ '' '' link '' NAME 'the link'
        up up 255 F down '' '' '' '' 'bring both ends up'
        down down 255 F up '' '' '' '' 'take the link down'
        local local 255 '' '' '' address '' ADDR 'outer address of this end; else the source address towards the remote'
        dev dev 255 R '' '' interface '' UNDERLAY 'device to listen on; else the one that holds local; type vlan needs it, and tags on the first'
        address address 255 R '' '' '' '' PREFIX 'address of the inner end'
        route route 255 R '' '' '' default '{ PREFIX | default }' 'route through the inner end'
        mtu mtu 255 '' '' '' '' '' N 'MTU of the inner end; else computed from the sessions'
        role role 255 '' '' '' '' 'ggsn sgsn pgw upf gnb enb ue' '{ ggsn | sgsn }' 'sessions by inner destination (ggsn, pgw, upf) or source (sgsn, gnb, enb, ue) (default ggsn)'
        port port 115 '' '' '' '' '' N 'outer UDP port to receive on (default 2152 for gtp; 6081 for geneve; 4789 for vxlan; 1701 for l2tp)'
        srcport srcport 51 '' '' '' '' 'fixed hash' '{ fixed | hash | N }' 'outer UDP source port: that of the kind, by flow, or a number; l2tp has udp_sport (default fixed for gtp; hash for geneve, vxlan)'
        ttl ttl 255 '' '' '' '' inherit '{ N | inherit }' 'outer TTL or hop limit (default 64)'
        tos tos 255 '' '' '' '' inherit '{ N | inherit }' 'outer TOS or traffic class (default 0)'
        udpcsum udpcsum 255 FN '' '' '' '' '' 'outer UDP checksum; default over IPv6, where noudpcsum also takes packets without one, and for geneve and l2tp'
        df df 255 '' '' '' '' 'set unset inherit' '{ set | unset | inherit }' 'outer DF bit (default set)'
        gso gso 255 '' '' '' '' 'auto split keep' '{ auto | split | keep }' 'when to cut super-packets (default auto)'
        deliver deliver 255 '' '' '' '' 'auto bulk small' '{ auto | bulk | small }' 'through GRO (bulk) or straight (small) (default auto)'
        hairpin hairpin 255 '' '' '' '' 'on off' '{ on | off }' 'short cut between two links of this machine (default on)'
        xdp xdp 255 '' '' '' '' 'auto on off' '{ auto | on | off }' 'receive by native XDP: on real NICs whose drivers can, on every underlay, or on none (default auto)'
        lladdr lladdr 255 '' '' '' '' '' MAC 'MAC of the end that stays here'
        echo echo 255 '' '' '' '' 'on off' '{ on | off }' 'answer Echo Requests; like errind and extnotify on when any link at this local address says so (default on)'
        errind errind 255 '' '' '' '' 'on off' '{ on | off }' 'answer unknown TEIDs with Error Indications (default on)'
        extnotify extnotify 255 '' '' '' '' 'on off' '{ on | off }' 'answer unknown extension headers with a notification (default on)'
        errind-action errind-action 255 '' '' '' '' 'none mark del' '{ none | mark | del }' 'what a received Error Indication does to its session: nothing, show it as the state, or end it (default mark)'
        restart_count restart_count 255 '' '' '' '' '' N 'Recovery in Echo Responses of version 0 (default 0)'
        vrf vrf 255 '' '' '' vrf none '{ NAME | TABLE | none }' 'VRF that the inner end and its routes belong to; or a routing table, by name or number, to which rules lead'
      )
      ;;
    'link del' | 'link delete')
      rows=(
        ifname '' 255 PQ '' '' link '' NAME 'the link'
      )
      ;;
    'link show' | 'link list' | 'link lst')
      exclusive=1
      rows=(
        ifname '' 255 P '' '' link '' NAME 'this link alone'
        type type 255 '' '' '' '' 'gtp gre gretap geneve vxlan l2tp vlan' TYPE 'links of this type'
        netns netns 255 '' '' '' netns '' '{ NAME | PID | PATH }' 'links whose inner end is there'
      )
      ;;
    'link flush' | 'completion bash' | 'completion zsh' | 'completion fish')
      rows=(
      )
      ;;
    'session add' | 'session replace')
      rows=(
        dev dev 255 Q '' '' link '' LINK 'the link of the session'
        type type 255 '' '' '' '' 'gtp gre gretap geneve vxlan l2tp vlan' TYPE 'kind of the session; else as the words tell, or that of the link'
        version version 3 '' '' 253 '' '0 1' '{ 0 | 1 }' 'of GTP: 1 with a TEID for each direction, 0 with one TID (default 1)'
        local-teid local-teid 1 Q '' '' '' auto '{ TEID | auto }' 'TEID that the peer puts into packets to us'
        remote-teid remote-teid 1 Q '' '' '' '' TEID 'TEID that we put into packets to the peer'
        tid tid 2 Q '' '' '' '' TID 'TID of packets in both directions'
        flow flow 2 '' '' '' '' '' N 'flow label that the peer puts into packets to us (default 0)'
        remote-flow remote-flow 2 '' '' '' '' '' N 'flow label that we put into packets to the peer (default 0)'
        key key 12 '' 'ikey okey' '' '' '' N 'key in both directions; else none'
        ikey ikey 12 '' key '' '' '' N 'key that the peer puts into packets to us'
        okey okey 12 '' key '' '' '' N 'key that we put into packets to the peer'
        vni vni 48 Q '' '' '' '' N 'virtual network identifier, in both directions'
        session_id session_id 64 Q '' '' '' '' N 'session ID that the peer puts into packets to us'
        peer_session_id peer_session_id 64 Q '' '' '' '' N 'session ID that we put into packets to the peer'
        id id 128 Q '' '' '' '' N 'VLAN ID, in both directions'
        remote remote 127 Q '' '' '' '' ADDR 'outer address of the peer'
        local local 127 '' '' '' address '' ADDR 'outer address of this end; else that of the link'
        ue ue 255 R '' '' '' '' PREFIX 'who lives behind the far (ggsn) or near (sgsn) end; 10.45.0.4/16 is all of 10.45.0.0/16'
        from from 255 '' '' '' '' '' PREFIX 'packets with this inner source and the destination of to'
        to to 255 '' '' '' '' '' PREFIX 'packets with this inner destination and the source of from'
        name name 255 '' '' '' '' '' LABEL 'a label'
        lladdr lladdr 255 '' '' '' '' '' MAC 'MAC at the far end: chooses the session on a link of frames; goes into frames on a link of packets'
        peer peer 127 '' '' '' '' 'any strict' '{ any | strict }' 'take packets from any outer source, or from remote alone (default any for gtp; strict for gre, gretap, geneve, vxlan, l2tp)'
        antispoof antispoof 255 FN '' '' '' '' '' 'drop packets from the tunnel that are not of ue; default where ue is given'
        srcport srcport 51 '' '' '' '' 'fixed hash' '{ fixed | hash | N }' 'as in link add, for this session'
        ttl ttl 127 '' '' '' '' inherit '{ N | inherit }' 'as in link add, for this session'
        tos tos 127 '' '' '' '' inherit '{ N | inherit }' 'as in link add, for this session'
        udpcsum udpcsum 115 FN '' '' '' '' '' 'as in link add, for this session'
        qfi qfi 1 '' '' '' '' '' N 'send a PDU Session Container with this QoS Flow Identifier'
        rqi rqi 1 F '' '' '' '' '' 'Reflective QoS Indication in the container'
        ppi ppi 1 '' '' '' '' '' N 'Paging Policy Indicator in the container'
        psc psc 1 '' '' '' '' 'auto none dl ul' '{ auto | none | dl | ul }' 'PDU Session Container: by role, never, or of that type (default auto)'
        seq seq 1 FN '' '' '' '' '' 'number the packets that we send; default noseq'
        payload payload 17 '' '' '' '' 'ip ethernet' '{ ip | ethernet }' 'IP packets, or whole Ethernet frames (default ip for gtp; ethernet for geneve)'
        csum csum 12 FN '' '' '' '' '' 'checksum in the packets that we send; default nocsum'
        iseq iseq 12 FN '' '' '' '' '' 'drop packets that come late or twice by their number; default noiseq'
        oseq oseq 12 FN '' '' '' '' '' 'number the packets that we send; default nooseq'
        opt opt 16 R '' '' '' '' 'CLASS:TYPE:HEX' 'an option in the packets that we send, in hexadecimal'
        dstport dstport 48 '' '' '' '' '' N 'UDP port of the peer; else our own'
        cookie cookie 64 '' '' '' '' none '{ HEX | none }' 'cookie of 4 or 8 octets that we send; else none'
        peer_cookie peer_cookie 64 '' '' '' '' none '{ HEX | none }' 'cookie that the peer must send; else none'
        l2spec_type l2spec_type 64 '' '' '' '' 'none default' '{ none | default }' 'L2-specific sublayer, which numbers stand in (default default)'
        l2tp_seq seq 64 '' '' '' '' 'none send recv both' '{ none | send | recv | both }' 'number packets that we send, drop received ones that come late or twice, or both (default none)'
        encap encap 64 '' '' '' '' 'udp ip' '{ udp | ip }' 'over UDP, or straight over IP (default udp)'
        udp_sport udp_sport 64 '' '' '' '' '' N 'our UDP port; else that of a link of type l2tp, or 1701'
        udp_dport udp_dport 64 '' '' '' '' '' N 'UDP port of the peer; else 1701'
        protocol protocol 128 '' '' '' '' '802.1Q 802.1ad' '{ 802.1Q | 802.1ad }' 'EtherType of the tag: 0x8100 or 0x88a8 (default 802.1Q)'
      )
      ;;
    'session change')
      rows=(
        dev dev 255 Q '' '' link '' LINK 'the link of the session'
        type type 255 '' '' '' '' 'gtp gre gretap geneve vxlan l2tp vlan' TYPE 'kind of the session; else as the words tell, or that of the link'
        version version 3 '' '' '' '' '0 1' '{ 0 | 1 }' 'of GTP; else as the ID tells'
        local-teid local-teid 1 Q '' '' session '' TEID 'the TEID of the session'
        remote-teid remote-teid 1 '' '' '' '' '' TEID 'TEID that we put into packets to the peer'
        tid tid 2 Q '' '' session '' TID 'the TID of the session'
        flow flow 2 '' '' '' '' '' N 'flow label that the peer puts into packets to us (default 0)'
        remote-flow remote-flow 2 '' '' '' '' '' N 'flow label that we put into packets to the peer (default 0)'
        key key 12 '' 'ikey okey' '' session '' N 'the key of packets to us; nothing: the session without one'
        ikey ikey 12 '' key '' session '' N 'the same'
        okey okey 12 '' key '' '' '' N 'key that we put into packets to the peer'
        vni vni 48 Q '' '' session '' N 'the VNI of the session'
        session_id session_id 64 Q '' '' session '' N 'the session ID of packets to us'
        peer_session_id peer_session_id 64 '' '' '' '' '' N 'session ID that we put into packets to the peer'
        id id 128 Q '' '' session '' N 'the VLAN ID of the session'
        remote remote 127 '' '' '' '' '' ADDR 'outer address of the peer'
        local local 127 '' '' '' address '' ADDR 'outer address of this end; else that of the link'
        ue ue 255 R '' '' '' '' PREFIX 'who lives behind the far (ggsn) or near (sgsn) end; 10.45.0.4/16 is all of 10.45.0.0/16'
        from from 255 '' '' '' '' '' PREFIX 'packets with this inner source and the destination of to'
        to to 255 '' '' '' '' '' PREFIX 'packets with this inner destination and the source of from'
        name name 255 '' '' '' session '' LABEL 'a label'
        lladdr lladdr 255 '' '' '' '' '' MAC 'MAC at the far end: chooses the session on a link of frames; goes into frames on a link of packets'
        peer peer 127 '' '' '' '' 'any strict' '{ any | strict }' 'take packets from any outer source, or from remote alone (default any for gtp; strict for gre, gretap, geneve, vxlan, l2tp)'
        antispoof antispoof 255 FN '' '' '' '' '' 'drop packets from the tunnel that are not of ue; default where ue is given'
        srcport srcport 51 '' '' '' '' 'fixed hash' '{ fixed | hash | N }' 'as in link add, for this session'
        ttl ttl 127 '' '' '' '' inherit '{ N | inherit }' 'as in link add, for this session'
        tos tos 127 '' '' '' '' inherit '{ N | inherit }' 'as in link add, for this session'
        udpcsum udpcsum 115 FN '' '' '' '' '' 'as in link add, for this session'
        qfi qfi 1 '' '' '' '' '' N 'send a PDU Session Container with this QoS Flow Identifier'
        rqi rqi 1 F '' '' '' '' '' 'Reflective QoS Indication in the container'
        ppi ppi 1 '' '' '' '' '' N 'Paging Policy Indicator in the container'
        psc psc 1 '' '' '' '' 'auto none dl ul' '{ auto | none | dl | ul }' 'PDU Session Container: by role, never, or of that type (default auto)'
        seq seq 1 FN '' '' '' '' '' 'number the packets that we send; default noseq'
        payload payload 17 '' '' '' '' 'ip ethernet' '{ ip | ethernet }' 'IP packets, or whole Ethernet frames (default ip for gtp; ethernet for geneve)'
        csum csum 12 FN '' '' '' '' '' 'checksum in the packets that we send; default nocsum'
        iseq iseq 12 FN '' '' '' '' '' 'drop packets that come late or twice by their number; default noiseq'
        oseq oseq 12 FN '' '' '' '' '' 'number the packets that we send; default nooseq'
        opt opt 16 R '' '' '' '' 'CLASS:TYPE:HEX' 'an option in the packets that we send, in hexadecimal'
        dstport dstport 48 '' '' '' '' '' N 'UDP port of the peer; else our own'
        cookie cookie 64 '' '' '' '' none '{ HEX | none }' 'cookie of 4 or 8 octets that we send; else none'
        peer_cookie peer_cookie 64 '' '' '' '' none '{ HEX | none }' 'cookie that the peer must send; else none'
        l2spec_type l2spec_type 64 '' '' '' '' 'none default' '{ none | default }' 'L2-specific sublayer, which numbers stand in (default default)'
        l2tp_seq seq 64 '' '' '' '' 'none send recv both' '{ none | send | recv | both }' 'number packets that we send, drop received ones that come late or twice, or both (default none)'
        encap encap 64 '' '' '' '' 'udp ip' '{ udp | ip }' 'over UDP, or straight over IP (default udp)'
        udp_sport udp_sport 64 '' '' '' '' '' N 'our UDP port; else that of a link of type l2tp, or 1701'
        udp_dport udp_dport 64 '' '' '' '' '' N 'UDP port of the peer; else 1701'
        protocol protocol 128 '' '' '' '' '802.1Q 802.1ad' '{ 802.1Q | 802.1ad }' 'EtherType of the tag: 0x8100 or 0x88a8 (default 802.1Q)'
      )
      ;;
    'session del' | 'session delete')
      rows=(
        dev dev 255 Q '' '' link '' LINK 'the link of the session'
        type type 255 '' '' '' '' 'gtp gre gretap geneve vxlan l2tp vlan' TYPE 'kind of the session; else as the words tell, or that of the link'
        version version 3 '' '' '' '' '0 1' '{ 0 | 1 }' 'of GTP; else as the ID tells'
        local-teid local-teid 1 Q '' '' session '' TEID 'the TEID of the session'
        tid tid 2 Q '' '' session '' TID 'the TID of the session'
        key key 12 '' ikey '' session '' N 'the key of packets to us; nothing: the session without one'
        ikey ikey 12 '' key '' session '' N 'the same'
        vni vni 48 Q '' '' session '' N 'the VNI of the session'
        session_id session_id 64 Q '' '' session '' N 'the session ID of packets to us'
        id id 128 Q '' '' session '' N 'the VLAN ID of the session'
        protocol protocol 128 '' '' '' '' '802.1Q 802.1ad' '{ 802.1Q | 802.1ad }' 'its tag, where there is a session for both'
        local local 127 '' '' '' session '' ADDR 'its local address, where the link has several'
        remote remote 60 '' '' '' session '' ADDR 'its peer, where several have this key or VNI'
        endmarker endmarker 255 F '' '' '' '' '' 'and send an End Marker behind its last packet'
      )
      ;;
    'session get')
      rows=(
        dev dev 255 Q '' '' link '' LINK 'the link of the session'
        type type 255 '' '' '' '' 'gtp gre gretap geneve vxlan l2tp vlan' TYPE 'kind of the session; else as the words tell, or that of the link'
        version version 3 '' '' '' '' '0 1' '{ 0 | 1 }' 'of GTP; else as the ID tells'
        local-teid local-teid 1 Q '' '' session '' TEID 'the TEID of the session'
        tid tid 2 Q '' '' session '' TID 'the TID of the session'
        key key 12 '' ikey '' session '' N 'the key of packets to us; nothing: the session without one'
        ikey ikey 12 '' key '' session '' N 'the same'
        vni vni 48 Q '' '' session '' N 'the VNI of the session'
        session_id session_id 64 Q '' '' session '' N 'the session ID of packets to us'
        id id 128 Q '' '' session '' N 'the VLAN ID of the session'
        protocol protocol 128 '' '' '' '' '802.1Q 802.1ad' '{ 802.1Q | 802.1ad }' 'its tag, where there is a session for both'
        local local 127 '' '' '' session '' ADDR 'its local address, where the link has several'
        remote remote 60 '' '' '' session '' ADDR 'its peer, where several have this key or VNI'
      )
      ;;
    'session show' | 'session list' | 'session lst' | 'session flush')
      rows=(
        dev dev 255 '' '' '' link '' LINK 'sessions of this link'
        remote remote 255 '' '' '' session '' ADDR 'sessions with this peer'
        ue ue 255 '' '' '' session '' ADDR 'sessions that carry this inner address'
        type type 255 '' '' '' '' 'gtp gre gretap geneve vxlan l2tp vlan' TYPE 'sessions of this kind'
      )
      ;;
    'session endmarker')
      rows=(
        dev dev 255 Q '' '' link '' LINK 'the link of the session'
        type type 255 '' '' '' '' 'gtp gre gretap geneve vxlan l2tp vlan' TYPE 'kind of the session; else as the words tell, or that of the link'
        version version 3 '' '' '' '' '0 1' '{ 0 | 1 }' 'of GTP; else as the ID tells'
        local-teid local-teid 1 Q '' '' session '' TEID 'the TEID of the session'
        tid tid 2 Q '' '' session '' TID 'refused by name: version 0 has no End Marker'
        key key 12 '' ikey '' session '' N 'the key of packets to us; nothing: the session without one'
        ikey ikey 12 '' key '' session '' N 'the same'
        vni vni 48 Q '' '' session '' N 'the VNI of the session'
        session_id session_id 64 Q '' '' session '' N 'the session ID of packets to us'
        id id 128 Q '' '' session '' N 'the VLAN ID of the session'
        protocol protocol 128 '' '' '' '' '802.1Q 802.1ad' '{ 802.1Q | 802.1ad }' 'its tag, where there is a session for both'
        local local 127 '' '' '' session '' ADDR 'its local address, where the link has several'
        remote remote 60 '' '' '' session '' ADDR 'its peer, where several have this key or VNI'
      )
      ;;
    'ping run')
      rows=(
        addr '' 255 P dev '' session '' ADDR 'the peer'
        dev dev 255 '' addr '' link '' LINK 'the remote of the sessions of this link, from their local address'
        local-teid local-teid 255 '' 'addr tid' '' session '' TEID 'the remote of this session, where they have several'
        tid tid 255 '' 'addr local-teid' '' session '' TID 'the same for a session of version 0'
        local local 255 '' '' '' address '' ADDR 'address to send from; else the one that the kernel takes'
        count count 255 '' '' '' '' '' N 'end when so many requests are answered or have timed out'
        interval interval 255 '' '' '' '' '' S 'seconds from one request to the next (default 1)'
        timeout timeout 255 '' '' '' '' '' S 'seconds after which a request counts as lost (default 1)'
        port port 255 '' '' '' '' '' N 'UDP port of the peer: 2152, or 3386 for version 0; with dev that of the link'
        version version 255 '' '' '' '' '0 1' '{ 0 | 1 }' 'version of GTP: that of the session, or 1'
      )
      ;;
    'path show' | 'path list' | 'path lst')
      rows=(
        local local 255 '' '' '' session '' ADDR 'of this local address alone'
        remote remote 255 '' '' '' session '' ADDR 'to this peer alone'
      )
      ;;
    *) return 1 ;;
  esac
}
_gtp_forms_of_type() {
  case $1 in
    gtp)
      type_forms=3
      ;;
    gre)
      type_forms=4
      ;;
    gretap)
      type_forms=8
      ;;
    geneve)
      type_forms=16
      ;;
    vxlan)
      type_forms=32
      ;;
    l2tp)
      type_forms=64
      ;;
    vlan)
      type_forms=128
      ;;
    *) return 1 ;;
  esac
}

# The engine, the same for all shells: what may stand next in a command line of gtp. It reads the tables above, which are the
# grammar's; only for what the kernel alone knows it runs a program.

# _gtp_complete COMMAND [WORD]... CURRENT: fills `found` with CANDIDATE<TAB>HELP for the word that is being typed. What begins with a tab
# is no candidate: <TAB>file, where a file may stand, and <TAB>message<TAB>TEXT, what to type where nothing can be offered. Whatever
# COMMAND is, it is not run: who has to be asked is the gtp that is in PATH.
_gtp_complete() {
  local IFS=$' \t\n' cur=${!#} netns='' at=0 picked='' object only='' exclusive=''
  local -a words=("${@:2:$#-2}") commands=() rows=()
  found=()
  _gtp_read_options || return 0
  if ((at == ${#words[@]})); then
    _gtp_offer_names "${_gtp_objects[@]}"
    return 0
  fi
  _gtp_pick "${words[at++]}" "${_gtp_objects[@]}" || return 0
  object=$picked
  if [[ $object = help ]]; then
    _gtp_complete_help
    return 0
  fi
  _gtp_commands "$object" || return 0
  if [[ $only ]]; then
    picked=$only
  elif ((at == ${#words[@]})); then
    _gtp_offer_names "${commands[@]}"
    ((${#found[@]})) || _gtp_offer_names "${_gtp_aliases[@]}"
    return 0
  else
    _gtp_pick "${words[at++]}" "${commands[@]}" "${_gtp_aliases[@]}" || return 0
  fi
  _gtp_rows "$object $picked" && _gtp_read_words
  return 0
}

# gtp help [ OBJECT [ COMMAND ] ]
_gtp_complete_help() {
  local -a offers=()
  if ((at == ${#words[@]})); then
    offers=("${_gtp_objects[@]}")
  elif _gtp_pick "${words[at]}" "${_gtp_objects[@]}" && ((at + 1 == ${#words[@]})); then
    _gtp_commands "$picked"
    offers=("${commands[@]}")
  fi
  for object in "${offers[@]}"; do
    [[ $object = help* ]] || _gtp_offer_names "$object"
  done
}

# Picks a name as the parser does: exact, or else the first in order that begins so. Names stand with their help.
_gtp_pick() {
  local text=$1 name
  shift
  picked=''
  for name; do
    case $name in
      "$text"$'\t'*) picked=$text && return 0 ;;
      "$text"*) [[ $picked || ! $text ]] || picked=${name%%$'\t'*} ;;
    esac
  done
  [[ $picked ]]
}

# Names without help are of a later version, or for completion itself.
_gtp_offer_names() {
  local name
  for name; do
    [[ ! ${name#*$'\t'} ]] || _gtp_offer "${name%%$'\t'*}" "${name#*$'\t'}"
  done
}

# What a shell may read as more than a word is not offered: names of devices and namespaces are given by others, too.
_gtp_offer() {
  [[ $1 != "$cur"* || $1 = *[![:alnum:]_.:/@%+=,-]* ]] || found+=("$1"$'\t'"$2")
}

# Reads options; false where no object can follow: one is being typed, or one of them leaves no place for it.
_gtp_read_options() {
  local option
  while ((at < ${#words[@]})); do
    [[ ${words[at]} = -* ]] || return 0
    at=$((at + 1))
    [[ ${words[at - 1]} != -- ]] || return 0
    _gtp_pick_option "${words[at - 1]}" || return 1
    local -a parts=("${_gtp_options[@]:option:7}")
    case ${parts[2]} in
      last | later) return 1 ;;
      required)
        if ((at == ${#words[@]})); then
          _gtp_offer_values "${parts[@]:3}"
          return 1
        fi
        [[ ${parts[0]} != netns ]] || netns=${words[at]}
        # The commands are in the file.
        [[ ${parts[3]} != file || $cur = -* ]] || return 1
        at=$((at + 1))
        ;;
    esac
  done
  [[ $cur = -* ]] || return 0
  _gtp_offer_options
  return 1
}

_gtp_pick_option() {
  local name=${1#-} i
  name=${name#-} name=${name%%=*} option=''
  for ((i = 0; i < ${#_gtp_options[@]}; i += 7)); do
    [[ ${_gtp_options[i + 1]} != "$name" || ! $name ]] || { option=$i && return 0; }
    [[ $option || ! $name || ${_gtp_options[i]} != "$name"* ]] || option=$i
  done
  [[ $option ]]
}

_gtp_offer_options() {
  local i value help option dashes=-
  [[ $cur != --* ]] || dashes=--
  for ((i = 0; i < ${#_gtp_options[@]}; i += 7)); do
    help=${_gtp_options[i + 6]}
    [[ ${_gtp_options[i + 2]} = later ]] || _gtp_offer "$dashes${_gtp_options[i]}" "$help"
    [[ $cur = *=* && ${_gtp_options[i + 2]} = equals ]] || continue
    _gtp_pick_option "$cur"
    [[ $option = "$i" ]] || continue
    for value in ${_gtp_options[i + 4]}; do _gtp_offer "${cur%%=*}=$value" "$help"; done
  done
}

# The words of a command, each a row of ten fields:
#   0 its key  1 what is typed  2 forms that it goes with, as bits  3 flags  4 keys that rule it out
#   5 the forms that hold without it, of `type` and `version`  6 source  7 choices  8 placeholder  9 help
# Flags: P positional, Q required, R may be repeated, F takes no value, N has a form with "no".
_gtp_read_words() {
  local -A given=()
  local -a order=() matches=()
  local open type_forms='' version_forms='' dev='' type='' row first=$at
  [[ ${words[at]-} != help ]] || return 0
  if _gtp_read_positional; then _gtp_read_rest; fi
  ((first < ${#words[@]})) || _gtp_offer help 'what can be given here'
}

_gtp_read_rest() {
  while ((at < ${#words[@]})); do
    _gtp_match "${words[at++]}" || return 0
    _gtp_choose "${words[at]-}"
    if [[ ${rows[row + 3]} = *F* ]]; then
      _gtp_offer_other_row
      _gtp_give ''
    elif ((at < ${#words[@]})); then
      _gtp_give "${words[at++]}"
    else
      _gtp_offer_row_values
      return 0
    fi
  done
  _gtp_offer_words
}

# False where the first word is being typed and has to be the positional one.
_gtp_read_positional() {
  row=0
  [[ ${rows[3]-} = *P* ]] || return 0
  if ((at == ${#words[@]})); then
    _gtp_offer_row_values
    [[ ${rows[3]} != *Q* ]]
  elif [[ ${words[at]} != -* ]] && ! _gtp_match "${words[at]}"; then
    _gtp_give "${words[at++]}"
  fi
}

# The rows that a text may be; two may share a word.
_gtp_match() {
  local i
  matches=()
  for ((i = 0; i < ${#rows[@]}; i += 10)); do
    [[ ${rows[i + 3]} != *P* ]] || continue
    [[ ${rows[i + 1]} != "$1" && (${rows[i + 3]} != *N* || no${rows[i + 1]} != "$1") ]] || matches+=("$i")
  done
  ((${#matches[@]}))
}

# Of two rows the one that has the next word as its value, or else one that the other words are about.
_gtp_choose() {
  local i
  row=${matches[0]}
  ((${#matches[@]} > 1)) || return 0
  _gtp_narrow
  for i in "${matches[@]}"; do
    [[ ! $1 || " ${rows[i + 7]} " != *" $1 "* ]] || { row=$i && return 0; }
  done
  for i in "${matches[@]}"; do
    ((rows[i + 2] == 255 || !(rows[i + 2] & open))) || { row=$i && return 0; }
  done
}

# A flag shares its word with one that takes a value, which may be what is being typed.
_gtp_offer_other_row() {
  local i
  ((${#matches[@]} > 1 && at == ${#words[@]})) || return 0
  for i in "${matches[@]}"; do
    ((i == row || !(rows[i + 2] & open))) || _gtp_offer_values "${rows[@]:i+6:4}"
  done
}

_gtp_give() {
  local key=${rows[row]}
  [[ ${given[$key]-} ]] || order+=("$row")
  given[$key]=1
  case $key in
    dev) [[ ${rows[row + 6]} != link ]] || dev=$1 ;;
    type) type=$1 && _gtp_forms_of_type "$1" ;;
    version) [[ $1 != [01] ]] || version_forms=$((2 - $1)) ;;
  esac
}

# The forms that are left: those that all words given share. A word that shares none is left out.
_gtp_narrow() {
  local i forms
  local -a limits=()
  [[ ! $type_forms ]] || limits+=("$type_forms")
  [[ ! $version_forms ]] || limits+=("$version_forms")
  for ((i = 0; i < ${#rows[@]}; i += 10)); do
    [[ ! ${rows[i + 5]} || ${given[${rows[i]}]-} ]] || limits+=("${rows[i + 5]}")
  done
  for i in "${order[@]}"; do
    case ${rows[i]} in
      type | version) ;;
      *) limits+=("${rows[i + 2]}") ;;
    esac
  done
  open=255
  for forms in "${limits[@]}"; do
    ((!(open & forms))) || open=$((open & forms))
  done
}

# The words that may still be given.
_gtp_offer_words() {
  local i key other
  local -A seen=()
  _gtp_narrow
  [[ ! $exclusive || ${#order[@]} = 0 ]] || return 0
  for ((i = 0; i < ${#rows[@]}; i += 10)); do
    key=${rows[i]}
    [[ ${rows[i + 3]} != *P* ]] || continue
    [[ ! ${given[$key]-} || ${rows[i + 3]} = *R* ]] || continue
    ((rows[i + 2] & open)) || continue
    for other in ${rows[i + 4]}; do
      [[ ! ${given[$other]-} ]] || continue 2
    done
    [[ ! ${seen[${rows[i + 1]}]-} ]] || continue
    seen[${rows[i + 1]}]=1
    _gtp_offer "${rows[i + 1]}" "${rows[i + 9]}"
    [[ ${rows[i + 3]} != *N* ]] || _gtp_offer "no${rows[i + 1]}" "${rows[i + 9]}"
  done
}

_gtp_offer_row_values() {
  _gtp_offer_values "${rows[@]:row+6:4}" "${rows[row]}"
}

# _gtp_offer_values SOURCE CHOICES PLACEHOLDER HELP [KEY]
_gtp_offer_values() {
  local value
  for value in $2; do _gtp_offer "$value" ''; done
  case $1 in
    netns) _gtp_offer_netns ;;
    interface) _gtp_offer_interfaces ;;
    link) _gtp_offer_links ;;
    vrf) _gtp_offer_lines 2 '' ip -o link show type vrf ;;
    address) _gtp_offer_lines 4 2 ip -o address show ;;
    session) _gtp_offer_asked "$5" ;;
    file) found+=($'\tfile') ;;
  esac
  ((${#found[@]})) || found=($'\tmessage\t'"$3: $4")
}

_gtp_offer_netns() {
  local path
  [[ $cur != */* ]] || { found+=($'\tfile') && return; }
  while IFS= read -r path; do
    _gtp_offer "${path##*/}" ''
  done < <(compgen -G '/run/netns/*')
}

# /sys/class/net may be of another namespace than this shell, /proc/net is not.
_gtp_offer_interfaces() {
  local name rest
  while IFS=$' \t' read -r name rest; do
    case $name in
      gtpshim0:* | gtpshim1:* | *'|'*) ;;
      *:*) _gtp_offer "${name%:*}" '' ;;
    esac
  done < <(_gtp_inside cat /proc/net/dev)
}

# Fields of what a program of iproute2 says in lines: the candidate, without the length of a prefix, and its help.
_gtp_offer_lines() {
  local field=$1 help=$2 line
  shift 2
  while IFS=' ' read -r -a line; do
    _gtp_offer "${line[field - 1]%%[@/]*}" "${help:+${line[help - 1]}}"
  done < <(_gtp_inside "$@")
}

# Links have pins below a directory of their namespace. That one is told by the device that all links of a namespace share; where the
# one of another namespace has the same number, and for links of the kernel's driver, which may be elsewhere, only gtp can tell.
_gtp_offer_links() {
  local number name shim='' is_unsure=''
  local -a line homes=()
  local -A names=()
  [[ ! -e /sys/module/gtp ]] || is_unsure=1
  while read -r -a line; do
    number=${line[0]%:} name=${line[1]%:} name=${name%@*}
    names[$number]=$name
    [[ $name != gtpshim1 ]] || shim=$number
    [[ "${line[*]}" != *'\ gtp '* ]] || is_unsure=1
  done < <(_gtp_inside ip -details -oneline link show)
  [[ ! $shim ]] || mapfile -t homes < <(compgen -G "${GTP_BPFFS:-/sys/fs/bpf}/gtp/*/v1/hooks/shim-$shim")
  [[ ! $shim || ${#homes[@]} = 1 ]] || is_unsure=1
  if [[ $is_unsure ]]; then
    _gtp_offer_asked link
  elif [[ $shim ]]; then
    while IFS= read -r name; do
      number=${name##*-}
      [[ ! ${names[$number]-} ]] || _gtp_offer "${names[$number]}" ''
    done < <(compgen -G "${homes[0]%/*}/link-*")
  fi
}

# Values that only gtp knows, of the link and type that the line has. Certificates to add, which a TAB does not need, would take Node longer to read
# than all of the rest takes.
_gtp_offer_asked() {
  local value help
  while IFS=$'\t' read -r value help; do
    _gtp_offer "$value" "$help"
  done < <(NODE_EXTRA_CA_CERTS='' command gtp ${netns:+-n "$netns"} completion values "$1" ${dev:+dev "$dev"} ${type:+type "$type"} 2>/dev/null </dev/null)
}

# Runs a program in the network namespace that -n names.
_gtp_inside() {
  local path=$netns
  case $netns in
    '') "$@" 2>/dev/null </dev/null && return ;;
    */*) ;;
    *) path=/run/netns/$netns ;;
  esac
  [[ -e $path || $netns = *[!0-9]* ]] || path=/proc/$netns/ns/net
  [[ ! $netns ]] || nsenter --net="$path" "$@" 2>/dev/null </dev/null
}

# What bash asks for. COMP_WORDS is broken at the colons of addresses, and quoted as it was typed.
_gtp() {
  local - typed start each
  local -a words found
  set +efu # these options of the user's are meant for other commands
  _gtp_split "${COMP_LINE:0:COMP_POINT}"
  typed=${words[${#words[@]} - 1]}
  _gtp_complete "${words[@]}"
  COMPREPLY=()
  for each in "${found[@]}"; do
    case $each in
      $'\tfile')
        compopt -o filenames 2>/dev/null
        while IFS= read -r each; do COMPREPLY+=("${each#"$start"}"); done < <(compgen -f -- "$typed")
        ;;
      $'\t'*) ;;
      *) each=${each%%$'\t'*} && COMPREPLY+=("${each#"$start"}") ;;
    esac
  done
}

# Splits a line into `words` as the shell does, but expands nothing. Of the last word readline replaces only what follows `start`: the
# last quote, or character that breaks words for it.
_gtp_split() {
  local rest=${1//$'\\\n'/} quote='' char at=0
  words=('') start=''
  while [[ $rest ]]; do
    char=${rest:0:1} rest=${rest:1}
    case $quote$char in
      [[:space:]])
        rest=${rest#"${rest%%[![:space:]]*}"}
        words[++at]='' start=''
        ;;
      \\ | \"\\) words[at]+=${rest:0:1} rest=${rest:1} ;;
      \' | \") quote=$char start=${words[at]} ;;
      \'\' | \"\") quote='' start=${words[at]} ;;
      *)
        words[at]+=$char
        [[ $quote || $COMP_WORDBREAKS != *"$char"* ]] || start=${words[at]}
        ;;
    esac
  done
}

complete -o nosort -F _gtp gtp 2>/dev/null || complete -F _gtp gtp
