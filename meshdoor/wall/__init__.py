"""What a screen on the wall shows and what touching it does (sans-IO; no SDL, no clock, no socket).

    model      WallState: all that the node tells a wall
    scene      what is drawn: rectangles, text, pictures, icons, and areas that can be touched
    look       what a scene is made for: size, font, language, colours, time
    words      the sentences, of the tables that the page of phones has
    icons      the line drawings, of the page too
    layout     boxes in boxes, and text that fits
    views/     one pure function a view: (WallState, Place, Look) -> Scene
    navigator  which view shows, and what touches and keys do
    typing     the keys of its keyboard

The owner drives one `Navigator`, with `now` of the monotonic clock:

    navigator = Navigator(Surface(size, measure, local, words), now)
    navigator.told(state, now)                     a WallState
    navigator.touched(x, y, now), moved(x, y, now), released(x, y, now)
    navigator.key(name, now)                       "return", "escape", "tab", "backspace", "left" ..., or a character
    navigator.near(now)                            somebody is near (PIR)
    navigator.resized(size, now)
    navigator.handle_timer(now)                    when `next_deadline()` is past
    while (command := navigator.next_command()):   Act(action) to the node, Redraw(), Wake(), Sleep() the display
    scene = navigator.scene(now, unix_now)         when told to redraw

Actions that leave the wall, for the node to carry out (all arguments are strings):

    answer VISIT      decline VISIT      silence VISIT      the numbers of visits
    accept CALL       refuse CALL        a call that comes in, by its number
    hangup            mute on|off        talk               of what is on; `talk` lets the door hear
    open DOOR         monitor DOOR       handover MEMBER    ids of members
    call MEMBER       page
    seen VISIT ...    ids of visits that were shown
    invite NAME       withdraw           a phone
    pair NEWCOMER CODE                   found NAME         letting a newcomer in; a home of one's own
    dismiss ALARM                        its id
    set NAME VALUE    `SETTINGS` of the model
    play TONE         try a ring tone
"""
