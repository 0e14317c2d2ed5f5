"""Rows of numbers as Swift source."""

SCALARS = [*range(0xD800), *range(0xE000, 0x110000)]


def ranges(values):
    result = []
    for value in sorted(values):
        if result and result[-1][1] == value - 1:
            result[-1][1] = value
        else:
            result.append([value, value])
    return result


def classed_ranges(classes):
    result = []
    for scalar, number in sorted(classes.items()):
        if result and result[-1][1] == scalar - 1 and result[-1][2] == number:
            result[-1][1] = scalar
        else:
            result.append([scalar, scalar, number])
    return result


def runs(table):
    """[first, last, stride, distance modulo 2^32]: every stride-th scalar of the range."""
    result = []
    for scalar, text in sorted(table.items()):
        if len(text) > 1:
            continue
        distance = (ord(text) - scalar) % 2**32
        if result and result[-1][3] == distance:
            first, last, stride, _ = result[-1]
            step = scalar - last
            if step <= 2 and (first == last or step == stride):
                result[-1][1:3] = [scalar, step]
                continue
        result.append([scalar, scalar, 1, distance])
    return result


def mappings(table):
    """[scalar + 2^24 × length, then as many scalars]."""
    return [[s | len(t) << 24, *map(ord, t)] for s, t in sorted(table.items())]


def array(name, comment, rows):
    lines, line = [], "   "
    for row in rows:
        text = "".join(f" 0x{value:X}," for value in row)
        if len(line) + len(text) > 100:
            lines.append(line)
            line = "   "
        line += text
    lines.append(line)
    return f"  /// {comment}\n  static let {name}: [UInt32] = [\n" + "\n".join(lines) + "\n  ]\n"
