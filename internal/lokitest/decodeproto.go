package lokitest

import (
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers are those of Loki's push.proto. sinks/loki/internal/wiretest compares them with Grafana's own code.

// fields calls use with each field of a protobuf message: with a number as value, or with anything else as content.
func fields(message []byte, use func(number protowire.Number, value uint64, content []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var value uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := use(number, value, content); err != nil {
			return err
		}
	}
	return nil
}

func decodeProto(request []byte) (streams []pushed, err error) {
	err = fields(request, func(number protowire.Number, _ uint64, content []byte) error {
		if number != 1 {
			return nil
		}
		var s pushed
		err := fields(content, func(number protowire.Number, _ uint64, content []byte) error {
			switch number {
			case 1:
				s.labels = string(content)
			case 2:
				e, err := decodeEntry(content)
				s.entries = append(s.entries, e)
				return err
			}
			return nil
		})
		streams = append(streams, s)
		return err
	})
	return streams, err
}

func decodeEntry(message []byte) (e entry, err error) {
	err = fields(message, func(number protowire.Number, _ uint64, content []byte) error {
		switch number {
		case 1:
			var err error
			e.Time, err = decodeTime(content)
			return err
		case 2:
			e.Line = string(content)
		case 3:
			var p pair
			err := fields(content, func(number protowire.Number, _ uint64, content []byte) error {
				switch number {
				case 1:
					p.Name = string(content)
				case 2:
					p.Value = string(content)
				}
				return nil
			})
			e.Metadata = append(e.Metadata, p)
			return err
		}
		return nil
	})
	return e, err
}

func decodeTime(message []byte) (int64, error) {
	var seconds, nanos int64
	err := fields(message, func(number protowire.Number, value uint64, _ []byte) error {
		switch number {
		case 1:
			seconds = int64(value)
		case 2:
			nanos = int64(value)
		}
		return nil
	})
	const most = math.MaxInt64/1_000_000_000 - 1
	if err == nil && (seconds > most+1 || seconds < -most) {
		err = errors.New("a timestamp that nanoseconds cannot express")
	}
	return seconds*1_000_000_000 + nanos, err
}
