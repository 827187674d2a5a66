# The story of scripts/demo --lifecycle, which sources this: one certificate's 25 months.
tell "The service's own rules, as certq understands them"
run certq product check "$var/products/story.yaml" | indent
began=$SECONDS
/usr/bin/python3 scripts/demo.d/story.py "$var"
tell "25 months took $((SECONDS - began)) s of real time"
