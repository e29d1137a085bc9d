"""What buttons, sensors and relays mean, without the pins (sans-IO).

    debounce   levels of a contact, and when one of them is sure
    contact    a door that stands open
    pulses     relays that are on for a while, and which of them are due to be off
    orders     what a node and its pin keeper say to each other
    troubles   what a person in the house must be told of
"""
