# SPDX-License-Identifier: MIT
"""The machine's processor as the short name of a results file."""
import re
from pathlib import Path

# Intel names generations of servers by family and model only, where a virtual machine hides the rest.
INTEL_MODELS = {85: 'skylake', 106: 'ice-lake', 143: 'sapphire-rapids', 173: 'granite-rapids',
                207: 'emerald-rapids'}
NOISE = re.compile(r'\((r|tm)\)|\b(cpu|processor|\d+-core)\b|@.*', re.IGNORECASE)


def short_name(cpuinfo):
    """From the text of /proc/cpuinfo: "emerald-rapids-vm", "amd-epyc-7763"."""
    fields = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(':')
        fields.setdefault(key.strip(), value.strip())
    words = NOISE.sub(' ', fields.get('model name', ''))
    name = re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')
    if fields.get('vendor_id') == 'GenuineIntel' and fields.get('cpu family') == '6' and name in ('', 'intel-xeon'):
        name = INTEL_MODELS.get(int(fields.get('model', '0')), name)
    name = name or 'unknown-processor'
    return f'{name}-vm' if 'hypervisor' in fields.get('flags', '').split() else name


def this_machine():
    try:
        return short_name(Path('/proc/cpuinfo').read_text(encoding='utf-8', errors='replace'))
    except OSError:
        return short_name('')
