# SPDX-License-Identifier: MIT
"""What tools/bench-run and tools/bench-report share: results of Google Benchmark programs and what they mean."""
