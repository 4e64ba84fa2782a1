"""The data plane: answers CDN edges from verified snapshots and stored builds. It only ever reads."""
