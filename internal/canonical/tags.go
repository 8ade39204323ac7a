package canonical

// The tags of an event's own fields. The fields of spec stand beside those of the metadata.
const (
	tagName               byte = 0x01
	tagNamespace          byte = 0x02
	tagLabels             byte = 0x03
	tagAnnotations        byte = 0x04
	tagRunRef             byte = 0x10
	tagDecision           byte = 0x11
	tagKind               byte = 0x12
	tagTimestamp          byte = 0x13
	tagActor              byte = 0x14
	tagObject             byte = 0x15
	tagRequest            byte = 0x16
	tagTrace              byte = 0x17
	tagDestination        byte = 0x18
	tagCredential         byte = 0x19
	tagMatchedPolicy      byte = 0x1a
	tagReason             byte = 0x1b
	tagCount              byte = 0x1c
	tagSampleDestinations byte = 0x1d
	tagWindowStart        byte = 0x1e
	tagWindowEnd          byte = 0x1f
	tagDetail             byte = 0x20
)

// The tags within objects. Each object has tags of its own.
const (
	tagReferenceName byte = 0x01

	tagActorUser           byte = 0x01
	tagActorGroups         byte = 0x02
	tagActorServiceAccount byte = 0x03
	tagActorSourceAddress  byte = 0x04
	tagActorUserAgent      byte = 0x05

	tagObjectGroup       byte = 0x01
	tagObjectResource    byte = 0x02
	tagObjectNamespace   byte = 0x03
	tagObjectName        byte = 0x04
	tagObjectUID         byte = 0x05
	tagObjectSubresource byte = 0x06

	tagRequestID   byte = 0x01
	tagRequestVerb byte = 0x02

	tagTraceID byte = 0x01
	tagSpanID  byte = 0x02

	tagDestinationHost byte = 0x01
	tagDestinationPort byte = 0x02

	tagCredentialName     byte = 0x01
	tagCredentialProvider byte = 0x02
	tagCredentialPurpose  byte = 0x03
)
