"""The Sparkplug B schema for the `protobuf` library, built from descriptors at run time.

From the field numbers of Sparkplug 3.0.0, section 6.4, and not from our codec.
"""

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "sparkplug"
U32, U64, BOOL, TEXT = Field.TYPE_UINT32, Field.TYPE_UINT64, Field.TYPE_BOOL, Field.TYPE_STRING
FLOAT, DOUBLE, BYTES, MESSAGE = (
    Field.TYPE_FLOAT,
    Field.TYPE_DOUBLE,
    Field.TYPE_BYTES,
    Field.TYPE_MESSAGE,
)
# Message -> fields: (name, number, type, type of message or "", is repeated, is in the oneof).
FIELDS = {
    "PropertyValue": [
        ("type", 1, U32, "", False, False),
        ("is_null", 2, BOOL, "", False, False),
        ("int_value", 3, U32, "", False, True),
        ("long_value", 4, U64, "", False, True),
        ("float_value", 5, FLOAT, "", False, True),
        ("double_value", 6, DOUBLE, "", False, True),
        ("boolean_value", 7, BOOL, "", False, True),
        ("string_value", 8, TEXT, "", False, True),
    ],
    "PropertySet": [
        ("keys", 1, TEXT, "", True, False),
        ("values", 2, MESSAGE, "PropertyValue", True, False),
    ],
    "Metric": [
        ("name", 1, TEXT, "", False, False),
        ("alias", 2, U64, "", False, False),
        ("timestamp", 3, U64, "", False, False),
        ("datatype", 4, U32, "", False, False),
        ("is_historical", 5, BOOL, "", False, False),
        ("is_transient", 6, BOOL, "", False, False),
        ("is_null", 7, BOOL, "", False, False),
        ("properties", 9, MESSAGE, "PropertySet", False, False),
        ("int_value", 10, U32, "", False, True),
        ("long_value", 11, U64, "", False, True),
        ("float_value", 12, FLOAT, "", False, True),
        ("double_value", 13, DOUBLE, "", False, True),
        ("boolean_value", 14, BOOL, "", False, True),
        ("string_value", 15, TEXT, "", False, True),
        ("bytes_value", 16, BYTES, "", False, True),
    ],
    "Payload": [
        ("timestamp", 1, U64, "", False, False),
        ("metrics", 2, MESSAGE, "Metric", True, False),
        ("seq", 3, U64, "", False, False),
        ("uuid", 4, TEXT, "", False, False),
        ("body", 5, BYTES, "", False, False),
    ],
}


def payload_class() -> type[Message]:
    """Return the class of a payload."""
    file = FileDescriptorProto(name="sparkplug.proto", package=PACKAGE, syntax="proto2")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        if any(is_choice for *_, is_choice in fields):
            message.oneof_decl.add(name="value")
        for field, number, kind, of, is_repeated, is_choice in fields:
            label = Field.LABEL_REPEATED if is_repeated else Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, type=kind, label=label)
            if of:
                added.type_name = f".{PACKAGE}.{of}"
            if is_choice:
                added.oneof_index = 0
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Payload"))
